import type { AttributeValue } from '@aws-sdk/client-dynamodb';

export type Item = Record<string, AttributeValue>;

const KB = 1_024;

/** Bytes of an item as DynamoDB bills them (developer guide, "DynamoDB item sizes and formats"). */
export const itemBytes = (item: Item): number =>
  Object.entries(item).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0);

const valueBytes = (value: AttributeValue): number => {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  // Two digits a byte, and one more.
  if (value.N !== undefined) return Math.ceil(value.N.replace(/^-?0*\.?/, '').length / 2) + 1;
  if (value.B !== undefined) return value.B.length;
  if (value.SS !== undefined) return value.SS.reduce((sum, each) => sum + Buffer.byteLength(each), 0);
  if (value.L !== undefined) return 3 + value.L.reduce((sum, each) => sum + 1 + valueBytes(each), 0);
  if (value.M !== undefined) return 3 + Object.keys(value.M).length + itemBytes(value.M);
  return 1;
};

/** Of one item, or of all that a query reads. */
export const readUnits = (bytes: number, consistent: boolean): number =>
  Math.max(1, Math.ceil(bytes / (4 * KB))) * (consistent ? 1 : 0.5);

const kilobytes = (item: Item): number => Math.max(1, Math.ceil(itemBytes(item) / KB));

/** A global secondary index: its keys, and whether it holds whole items. */
export interface Index {
  readonly keys: readonly string[];
  readonly whole: boolean;
}

const entryOf = ({ keys, whole }: Index, item: Item | undefined): Item | undefined => {
  if (item === undefined || keys.some((key) => item[key] === undefined)) return undefined;
  if (whole) return item;
  return Object.fromEntries(
    ['pk', 'sk', 'entity', 'rev', ...keys].flatMap((name) => {
      const value = item[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
};

const indexUnits = (index: Index, before: Item | undefined, after: Item | undefined): number => {
  const [old, young] = [entryOf(index, before), entryOf(index, after)];
  if (old === undefined) return young === undefined ? 0 : kilobytes(young);
  if (young === undefined) return kilobytes(old);
  const moved = index.keys.some((key) => JSON.stringify(old[key]) !== JSON.stringify(young[key]));
  if (moved) return kilobytes(old) + kilobytes(young);
  return JSON.stringify(old) === JSON.stringify(young) ? 0 : kilobytes(young);
};

/** A write costs by the larger of the item before and after it, twice in a transaction; its indexes cost apart. */
export const writeUnits = (
  before: Item | undefined,
  after: Item | undefined,
  indexes: readonly Index[],
  transacted: boolean,
): number =>
  Math.max(before === undefined ? 1 : kilobytes(before), after === undefined ? 1 : kilobytes(after)) *
    (transacted ? 2 : 1) +
  indexes.reduce((sum, index) => sum + indexUnits(index, before, after), 0);
