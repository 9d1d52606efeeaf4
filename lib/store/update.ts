import type { Vector } from '../schemas/common.ts';
import { type Item, N } from './attributes.ts';
import type { Key } from './keys.ts';
import type { UpdateInput, Write } from './write.ts';

export interface Update {
  readonly table: string;
  readonly key: Key;
  readonly set?: Item;
  /** Top-level counters and sets only: AWS refuses ADD on nested attributes, the embedded engine does not. */
  readonly add?: Item;
  readonly deleteFromSet?: Item;
  readonly remove?: readonly string[];
  /** Named clauses, joined by AND. Each implies that the item exists. `#x` and `:x` are filled in from `names`/`values`. */
  readonly conditions: readonly Condition[];
}

/** One clause of a condition expression with what it needs; the text uses `#name` and `:name`. */
export interface Condition {
  readonly text: string;
  readonly names?: Readonly<Record<string, string>>;
  readonly values?: Item;
}

/** Placeholders take letters, digits and _ only; attribute names may hold more. */
const tagOf = (name: string): string => name.replaceAll(/[^A-Za-z0-9_]/g, '_');

export const attributeEquals = (name: string, value: Item[string]): Condition => ({
  text: `#c_${tagOf(name)} = :c_${tagOf(name)}`,
  names: { [`#c_${tagOf(name)}`]: name },
  values: { [`:c_${tagOf(name)}`]: value },
});

export const absent = (name: string): Condition => ({
  text: `attribute_not_exists(#c_${tagOf(name)})`,
  names: { [`#c_${tagOf(name)}`]: name },
});

export const exists = (name: string): Condition => ({
  text: `attribute_exists(#c_${tagOf(name)})`,
  names: { [`#c_${tagOf(name)}`]: name },
});

/**
 * name ≤ value in each dimension: what keeps `used` under its bound. With `gain`, only in those that it adds to: what
 * stands over the bound already is not made worse.
 */
export const vectorAtMost = (prefix: string, bound: Vector, gain?: Vector): Condition =>
  vectorCompare(prefix, '<=', bound, 'max', gain);

export const vectorAtLeast = (prefix: string, bound: Vector): Condition =>
  vectorCompare(prefix, '>=', bound, 'min');

/** Strictly below in each dimension: a group that still takes members. */
export const vectorBelow = (prefix: string, bound: Vector): Condition =>
  vectorCompare(prefix, '<', bound, 'below');

const LETTERS: readonly (readonly [keyof Vector, string])[] = [
  ['processing', 'P'],
  ['memory', 'M'],
  ['storage', 'S'],
  ['network', 'N'],
];

const vectorCompare = (
  prefix: string,
  operator: string,
  bound: Vector,
  tag: string,
  gain?: Vector,
): Condition => {
  const names: Record<string, string> = {};
  const values: Item = {};
  const texts = LETTERS.filter(([dimension]) => gain === undefined || gain[dimension] > 0).map(
    ([dimension, letter]) => {
      names[`#${tag}${letter}`] = `${prefix}${letter}`;
      values[`:${tag}${letter}`] = N(bound[dimension]);
      return `#${tag}${letter} ${operator} :${tag}${letter}`;
    },
  );
  return { text: texts.join(' AND '), names, values };
};

export const isOneOf = (name: string, allowed: readonly Item[string][]): Condition => {
  const values: Item = {};
  allowed.forEach((value, index) => {
    values[`:in_${tagOf(name)}${index}`] = value;
  });
  return {
    text: `#c_${tagOf(name)} IN (${Object.keys(values).join(', ')})`,
    names: { [`#c_${tagOf(name)}`]: name },
    values,
  };
};

/** The amounts to ADD for a vector; `sign` −1 takes away. */
export const vectorDelta = (prefix: string, delta: Vector, sign: 1 | -1 = 1): Item => {
  const item: Item = {};
  // Dimensions that do not change are left out: each clause costs the engine time.
  for (const [dimension, letter] of LETTERS)
    if (delta[dimension] !== 0) item[`${prefix}${letter}`] = N(sign * delta[dimension]);
  return item;
};

const bracketed = (text: string): string => (text.includes(' OR ') ? `(${text})` : text);

const joined = (
  conditions: readonly Condition[],
): { text: string; names: Record<string, string>; values: Item } => {
  const names: Record<string, string> = {};
  const values: Item = {};
  for (const condition of conditions) {
    Object.assign(names, condition.names);
    Object.assign(values, condition.values);
  }
  return { text: conditions.map(({ text }) => bracketed(text)).join(' AND '), names, values };
};

/** Placeholders of one request: an attribute has one, however often it is named, since the engine pays for each. */
const placeholders = () => {
  const byName = new Map<string, string>();
  const alias = (name: string): string => {
    const known = byName.get(name) ?? `#${byName.size}`;
    byName.set(name, known);
    return known;
  };
  return { alias, names: () => Object.fromEntries([...byName].map(([name, as]) => [as, name])) };
};

/** Builds the request apart from sending it, so that it can be tested offline. */
export const updateInput = (update: Update): UpdateInput => {
  const { alias, names } = placeholders();
  const condition = joined(update.conditions.length > 0 ? update.conditions : [exists('pk')]);
  const text = condition.text.replaceAll(/#\w+/g, (own) => alias(condition.names[own] ?? own));
  const values: Item = { ...condition.values };
  const clauses: string[] = [];
  const clause = (verb: string, attributes: Item | undefined, separator: string): void => {
    const entries = Object.entries(attributes ?? {});
    if (entries.length === 0) return;
    const parts = entries.map(([name, value], index) => {
      const tag = `:${verb[0]}${index}`;
      values[tag] = value;
      return `${alias(name)}${separator}${tag}`;
    });
    clauses.push(`${verb} ${parts.join(', ')}`);
  };
  clause('SET', update.set, ' = ');
  clause('ADD', update.add, ' ');
  clause('DELETE', update.deleteFromSet, ' ');
  if (update.remove !== undefined && update.remove.length > 0) {
    clauses.push(`REMOVE ${update.remove.map(alias).join(', ')}`);
  }
  return {
    TableName: update.table,
    Key: { ...update.key },
    UpdateExpression: clauses.join(' '),
    ConditionExpression: text,
    ExpressionAttributeNames: names(),
    ...(Object.keys(values).length === 0 ? {} : { ExpressionAttributeValues: values }),
  };
};

export const updateItem = (as: string, update: Update): Write => ({
  as,
  item: { Update: updateInput(update) },
});

export const checkItem = (as: string, table: string, key: Key, conditions: readonly Condition[]): Write => {
  const condition = joined(conditions);
  return {
    as,
    item: {
      ConditionCheck: {
        TableName: table,
        Key: { ...key },
        ConditionExpression: condition.text,
        ExpressionAttributeNames: condition.names,
        ...(Object.keys(condition.values).length === 0
          ? {}
          : { ExpressionAttributeValues: condition.values }),
      },
    },
  };
};

/** A put that never overwrites. */
export const putNew = (as: string, table: string, item: Item, key = 'pk'): Write => ({
  as,
  item: { Put: { TableName: table, Item: item, ConditionExpression: `attribute_not_exists(${key})` } },
});
