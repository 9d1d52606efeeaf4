import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { NewerVersion } from '../../errors.ts';
import type { Vector } from '../../schemas/common.ts';

export type Item = Record<string, AttributeValue>;

/** Writers of attributes. J: any value as a string of JSON. */
export const S = (value: string): AttributeValue => ({ S: value });
export const N = (value: number): AttributeValue => ({ N: String(value) });
export const BOOL = (value: boolean): AttributeValue => ({ BOOL: value });
export const SS = (values: readonly string[]): AttributeValue => ({ SS: [...values] });
export const J = (value: unknown): AttributeValue => ({ S: JSON.stringify(value) });

/** An item that is not of the shape its key promises: the table was changed by something else. */
export class CorruptItem extends Error {
  override readonly name = 'CorruptItem';
}

const missing = (item: Item, name: string): never => {
  throw new CorruptItem(
    `attribute ${name} is missing or of another type in item ${item['pk']?.S} ${item['sk']?.S}`,
  );
};

/** Readers of attributes: without `opt` one that is missing, or of another type, throws CorruptItem. */
export const str = (item: Item, name: string): string => item[name]?.S ?? missing(item, name);
export const optStr = (item: Item, name: string): string | undefined => item[name]?.S;
export const num = (item: Item, name: string): number => Number(item[name]?.N ?? missing(item, name));
export const optNum = (item: Item, name: string): number | undefined => {
  const text = item[name]?.N;
  return text === undefined ? undefined : Number(text);
};
export const bool = (item: Item, name: string): boolean => item[name]?.BOOL ?? false;
export const strings = (item: Item, name: string): readonly string[] => item[name]?.SS ?? [];

/** A member of a fixed list, e.g. a status. */
export const oneOf = <T extends string>(item: Item, name: string, values: readonly T[]): T =>
  values.find((value) => value === item[name]?.S) ?? missing(item, name);

/** Items of all kinds but heartbeats are of this version of their shape; one without `v` is as old as that. */
export const ITEM_VERSION = 1;

/** Throws NewerVersion: in what a newer code wrote, the same name may mean another thing. */
export const refuseNewer = (item: Item, known = ITEM_VERSION): void => {
  const version = Number(item['v']?.N ?? ITEM_VERSION);
  if (version > known) throw new NewerVersion(`item ${item['pk']?.S} ${item['sk']?.S}`, version, known);
};

/** Decodes only what this code knows. Throws NewerVersion; CorruptItem where an attribute is missing. */
export const versioned =
  <T>(decode: (item: Item) => T) =>
  (item: Item): T => {
    refuseNewer(item);
    return decode(item);
  };

/** Vectors are four top-level numbers, `<prefix>P/M/S/N`, because counters change by ADD on top level only. */
export const vectorOf = (item: Item, prefix: string): Vector => ({
  processing: num(item, `${prefix}P`),
  memory: num(item, `${prefix}M`),
  storage: num(item, `${prefix}S`),
  network: num(item, `${prefix}N`),
});

export const vectorAttributes = (prefix: string, vector: Vector): Item => ({
  [`${prefix}P`]: N(vector.processing),
  [`${prefix}M`]: N(vector.memory),
  [`${prefix}S`]: N(vector.storage),
  [`${prefix}N`]: N(vector.network),
});

/** The attribute of an optional value, for `compact`. */
export const opt = <T>(
  encode: (value: T) => AttributeValue,
  value: T | undefined,
): AttributeValue | undefined => (value === undefined ? undefined : encode(value));

/** Drops what is undefined, so that optional attributes can be written inline. */
export const compact = (attributes: Record<string, AttributeValue | undefined>): Item => {
  const item: Item = {};
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) item[name] = value;
  return item;
};
