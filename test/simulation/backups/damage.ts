import { keyOf } from '../../../lib/services/backup/sorted.ts';
import { type Item, N, S, str } from '../../../lib/store/table/attributes.ts';
import type { Stream } from '../world/chance.ts';
import type { World } from '../world/world.ts';

/** Items of these keys are lost, or changed by hand: resources, where they are, groups, allocations. */
const WORK = /^(LAB|LOC|GRP|ALLOC)#/;
const LOST_MAX = 4;

const send = async ({ options }: World, operation: string, input: object): Promise<void> => {
  const request = { TableName: options.tables.state, ...input };
  const { status, body } = await options.engine.call(operation, JSON.stringify(request));
  if (status !== 200) throw new Error(`${operation} was refused: ${body}`);
};

/** Of the work that a backup holds, what is still in the table. */
const itemsOf = ({ mirror, options: { tables } }: World, backup: readonly Item[]): readonly Item[] => {
  const there = new Map(mirror.items(tables.state).map((item) => [keyOf(item), item]));
  return backup
    .filter((item) => WORK.test(str(item, 'pk')))
    .map((item) => there.get(keyOf(item)))
    .filter((item) => item !== undefined)
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
};

/** Takes items away behind the control plane's back, `backup` being what a backup holds. Returns their keys. */
export type Loss = (world: World, backup: readonly Item[], chance: Stream) => Promise<ReadonlySet<string>>;

/** Some of the work is gone from the table, though all of it is in the backup. */
export const loseItems: Loss = async (world, backup, chance) => {
  const items = itemsOf(world, backup);
  const lost = new Set<string>();
  for (let n = 1 + chance.below(LOST_MAX); n > 0 && items.length > 0; n -= 1) {
    const item = chance.pick(items);
    if (!lost.has(keyOf(item))) lost.add(await loseItem(world, item));
  }
  return lost;
};

const loseItem = async (world: World, item: Item): Promise<string> => {
  world.mirror.lose(world.options.tables.state, keyOf(item));
  world.scheduler.note(`  ${str(item, 'pk')} ${str(item, 'sk')} is lost`);
  await send(world, 'DeleteItem', { Key: { pk: item['pk'], sk: item['sk'] } });
  return keyOf(item);
};

/** What is lost beside the work, by its partition key; recoveries of which no backup tells are not brought back. */
const RECORDS = [/^REC#/, /^PRINCIPAL#/, /^TENANT#/, /^LABS$/, /^BEAT#/];

/** One record that is no work is gone, whether a backup holds it or not. */
export const loseRecord: Loss = async (world, backup, chance) => {
  const known = new Set(backup.map(keyOf));
  const items = world.mirror
    .items(world.options.tables.state)
    .filter((item) => !str(item, 'pk').startsWith('REC#') || known.has(keyOf(item)))
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const kinds = RECORDS.map((kind) => items.filter((item) => kind.test(str(item, 'pk')))).filter(
    (some) => some.length > 0,
  );
  return new Set([await loseItem(world, chance.pick(chance.pick(kinds)))]);
};

/** By the first word of the partition key: what somebody may write into it. */
const FORGED: Readonly<Record<string, readonly Item[]>> = {
  LAB: [
    ...[{ usedP: N(1) }, { usedN: N(7) }, { epoch: N(900) }, { status: S('drained') }, { head: S('0') }],
    ...[{ devUsed: S('1,1,1') }, { rev: N(1) }],
  ],
  GRP: [{ demP: N(1) }, { epoch: N(900) }, { count: N(40) }, { resource: S('lab-9-r9') }],
  ALLOC: [{ state: S('expired') }, { group: S('id-none') }, { demM: N(3) }, { head: S('0') }],
};

/** One item of the work is changed by hand; of a resource that no recovery owns, for a restore leaves it to that one. */
export const forgeItem = async (world: World, backup: readonly Item[], chance: Stream): Promise<void> => {
  const { state } = world;
  const isFree = (item: Item): boolean => {
    const [kind = ''] = str(item, 'pk').split('#');
    const group = kind === 'ALLOC' ? str(item, 'group') : str(item, 'sk').replace('GRP#', '');
    const home =
      kind === 'LAB' ? str(item, 'sk').replace('RES#', '') : (state.groups.get(group)?.resource ?? '');
    return kind in FORGED && state.resources.get(home)?.recovery === undefined;
  };
  const items = itemsOf(world, backup).filter(isFree);
  if (items.length === 0) return;
  const item = chance.pick(items);
  const change = chance.pick(FORGED[str(item, 'pk').split('#')[0] ?? ''] ?? []);
  const forged = { ...item, ...change };
  world.scheduler.note(`  ${str(item, 'sk')} is changed by hand: ${JSON.stringify(change)}`);
  world.mirror.forge(world.options.tables.state, forged);
  await send(world, 'PutItem', { Item: forged });
};
