import * as z from 'zod';
import type { Item } from '../../lib/store/attributes.ts';
import type { EngineLine } from './engine-line.ts';
import { canonical, keyOf, type Mirror } from './mirror.ts';

const Scanned = z.object({ Items: z.array(z.custom<Item>()), LastEvaluatedKey: z.custom<Item>().optional() });

const scan = async (engine: EngineLine, TableName: string): Promise<readonly Item[]> => {
  const items: Item[] = [];
  let start: Item | undefined;
  do {
    const body = JSON.stringify({
      TableName,
      ConsistentRead: true,
      ...(start === undefined ? {} : { ExclusiveStartKey: start }),
    });
    const answer = await engine.call({ 'x-amz-target': 'DynamoDB_20120810.Scan' }, body);
    const page = Scanned.parse(JSON.parse(answer.body));
    items.push(...page.Items);
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
  return items;
};

/** Items of the mirror are replaced and never changed, and most live through many comparisons. */
const texts = new WeakMap<Item, string>();
const known = (item: Item): string => {
  const found = texts.get(item) ?? canonical(item);
  texts.set(item, found);
  return found;
};

/** Where the tables are not what their commits say; one sentence each. */
export const compareTables = async (mirror: Mirror, engine: EngineLine): Promise<readonly string[]> => {
  const faults: string[] = [];
  for (const [name, mirrored] of mirror.tables) {
    const found = new Map((await scan(engine, name)).map((item) => [keyOf(item), item]));
    for (const [key, item] of mirrored) {
      const real = found.get(key);
      found.delete(key);
      if (real === undefined) faults.push(`${key.replace('\u0000', ' ')} is not in the table`);
      else if (canonical(real) !== known(item))
        faults.push(
          `${key.replace('\u0000', ' ')} differs: ${canonical(real)} instead of ${canonical(item)}`,
        );
    }
    for (const key of found.keys()) faults.push(`${key.replace('\u0000', ' ')} was written by nobody`);
  }
  return faults;
};
