import * as z from 'zod';
import type { Item } from '../../../lib/store/table/attributes.ts';
import type { EngineLine } from '../worker/engine-line.ts';
import { canonical, isSame, keyOf, type Mirror } from './mirror.ts';

const Scanned = z.object({
  Items: z.custom<readonly Item[]>(Array.isArray),
  LastEvaluatedKey: z.custom<Item>().optional(),
});

/** The tables against what their commits say. */
export class TableComparison {
  readonly #mirror: Mirror;
  readonly #engine: EngineLine;
  /** Writes that had been sent to each table and mirrored when it was last looked at: nothing else changes it. */
  readonly #writes = new Map<string, number>();

  constructor(mirror: Mirror, engine: EngineLine) {
    this.#mirror = mirror;
    this.#engine = engine;
  }

  /** Where a table is not what its commits say, one sentence each; `all`: though nobody wrote it since the last call. */
  async faults(all = false): Promise<readonly string[]> {
    const faults: string[] = [];
    for (const [name, mirrored] of this.#mirror.tables) {
      const writes = this.#engine.writesTo(name) + this.#mirror.writesTo(name);
      if (!all && this.#writes.get(name) === writes) continue;
      this.#writes.set(name, writes);
      faults.push(...this.#differences(mirrored, await scan(this.#engine, name)));
    }
    return faults;
  }

  #differences(mirrored: ReadonlyMap<string, Item>, items: readonly Item[]): readonly string[] {
    const faults: string[] = [];
    const found = new Map(items.map((item) => [keyOf(item), item]));
    for (const [key, item] of mirrored) {
      const real = found.get(key);
      found.delete(key);
      const name = key.replace('\u0000', ' ');
      if (real === undefined) faults.push(`${name} is not in the table`);
      else if (!isSame(item, real))
        faults.push(`${name} differs: ${canonical(real)} instead of ${canonical(item)}`);
    }
    for (const key of found.keys()) faults.push(`${key.replace('\u0000', ' ')} was written by nobody`);
    return faults;
  }
}

const scan = async (engine: EngineLine, TableName: string): Promise<readonly Item[]> => {
  const items: Item[] = [];
  let start: Item | undefined;
  do {
    const from = start === undefined ? {} : { ExclusiveStartKey: start };
    const answer = await engine.call('Scan', JSON.stringify({ TableName, ConsistentRead: true, ...from }));
    const page = Scanned.parse(JSON.parse(answer.body));
    items.push(...page.Items);
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
  return items;
};
