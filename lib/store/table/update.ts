import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Vector } from '../../schemas/common.ts';
import type { Key } from '../keys.ts';
import { type Item, N } from './attributes.ts';
import type { UpdateInput, Write } from './write.ts';

export interface Update {
  readonly table: string;
  readonly key: Key;
  readonly set?: Item;
  /** Top-level counters and sets only: AWS refuses ADD on nested attributes, the embedded engine does not. */
  readonly add?: Item;
  readonly deleteFromSet?: Item;
  readonly remove?: readonly string[];
  /** Clauses, joined by AND. Each implies that the item exists. */
  readonly conditions: readonly Condition[];
}

/** Placeholders of one request: an attribute has one, however often it is named, since the engine pays for each. */
export interface Placeholders {
  name(attribute: string): string;
  value(value: AttributeValue): string;
}

/** One clause of a condition expression, written with the placeholders that it asks for. */
export type Condition = (placeholders: Placeholders) => string;

export const attributeEquals =
  (name: string, value: AttributeValue): Condition =>
  (p) =>
    `${p.name(name)} = ${p.value(value)}`;

export const absent =
  (name: string): Condition =>
  (p) =>
    `attribute_not_exists(${p.name(name)})`;

export const exists =
  (name: string): Condition =>
  (p) =>
    `attribute_exists(${p.name(name)})`;

/**
 * name ≤ value in each dimension: what keeps `used` under its bound. With `gain`, only in those that it adds to: what
 * stands over the bound already is not made worse.
 */
export const vectorAtMost = (prefix: string, bound: Vector, gain?: Vector): Condition =>
  vectorCompare(prefix, '<=', bound, gain);

/** Strictly below in each dimension: a group that still takes members. */
export const vectorBelow = (prefix: string, bound: Vector): Condition => vectorCompare(prefix, '<', bound);

export const vectorEquals = (prefix: string, value: Vector): Condition => vectorCompare(prefix, '=', value);

const LETTERS: readonly (readonly [keyof Vector, string])[] = [
  ['processing', 'P'],
  ['memory', 'M'],
  ['storage', 'S'],
  ['network', 'N'],
];

const vectorCompare =
  (prefix: string, operator: string, bound: Vector, gain?: Vector): Condition =>
  (p) =>
    LETTERS.filter(([dimension]) => gain === undefined || gain[dimension] > 0)
      .map(([dimension, letter]) => `${p.name(prefix + letter)} ${operator} ${p.value(N(bound[dimension]))}`)
      .join(' AND ');

/** The amounts to ADD for a vector; `sign` −1 takes away. */
export const vectorDelta = (prefix: string, delta: Vector, sign: 1 | -1 = 1): Item => {
  const item: Item = {};
  // Dimensions that do not change are left out: each clause costs the engine time.
  for (const [dimension, letter] of LETTERS)
    if (delta[dimension] !== 0) item[`${prefix}${letter}`] = N(sign * delta[dimension]);
  return item;
};

const bracketed = (text: string): string => (text.includes(' OR ') ? `(${text})` : text);

const joined = (conditions: readonly Condition[], placeholders: Placeholders): string =>
  conditions.map((condition) => bracketed(condition(placeholders))).join(' AND ');

const newPlaceholders = () => {
  const aliases = new Map<string, string>();
  const names: Record<string, string> = {};
  const values: Item = {};
  let valueCount = 0;
  return {
    name: (attribute: string): string => {
      const known = aliases.get(attribute);
      if (known !== undefined) return known;
      const alias = `#${aliases.size}`;
      aliases.set(attribute, alias);
      names[alias] = attribute;
      return alias;
    },
    value: (value: AttributeValue): string => {
      const tag = `:${valueCount}`;
      valueCount += 1;
      values[tag] = value;
      return tag;
    },
    /** What the request carries of them: an empty map of values is refused, and every clause names an attribute. */
    attributes: () => ({
      ExpressionAttributeNames: names,
      ...(valueCount === 0 ? {} : { ExpressionAttributeValues: values }),
    }),
  };
};

/** Builds the request apart from sending it, so that it can be tested offline. */
export const updateInput = (update: Update): UpdateInput => {
  const p = newPlaceholders();
  const condition = joined(update.conditions.length > 0 ? update.conditions : [exists('pk')], p);
  const clauses: string[] = [];
  const clause = (verb: string, attributes: Item | undefined, separator: string): void => {
    const parts = Object.entries(attributes ?? {}).map(
      ([name, value]) => `${p.name(name)}${separator}${p.value(value)}`,
    );
    if (parts.length > 0) clauses.push(`${verb} ${parts.join(', ')}`);
  };
  clause('SET', update.set, ' = ');
  clause('ADD', update.add, ' ');
  clause('DELETE', update.deleteFromSet, ' ');
  if (update.remove !== undefined && update.remove.length > 0)
    clauses.push(`REMOVE ${update.remove.map((name) => p.name(name)).join(', ')}`);
  return {
    TableName: update.table,
    Key: { ...update.key },
    UpdateExpression: clauses.join(' '),
    ConditionExpression: condition,
    ...p.attributes(),
  };
};

/** In a transaction, where `as` names it when its condition fails. */
export const updateItem = (as: string, update: Update): Write => ({
  as,
  item: { Update: updateInput(update) },
});

/** Changes nothing: the transaction fails, under the name `as`, unless the conditions hold. */
export const checkItem = (as: string, table: string, key: Key, conditions: readonly Condition[]): Write => {
  const p = newPlaceholders();
  const condition = joined(conditions, p);
  return {
    as,
    item: {
      ConditionCheck: {
        TableName: table,
        Key: { ...key },
        ConditionExpression: condition,
        ...p.attributes(),
      },
    },
  };
};

/** A put that never overwrites. */
export const putNew = (as: string, table: string, item: Item, key = 'pk'): Write => ({
  as,
  item: { Put: { TableName: table, Item: item, ConditionExpression: `attribute_not_exists(${key})` } },
});
