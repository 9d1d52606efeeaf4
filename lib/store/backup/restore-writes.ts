import type { Item } from '../table/attributes.ts';
import { attributeEquals, putNew } from '../table/update.ts';
import type { Write } from '../table/write.ts';

/** What tells one version of an item from another, by what it has of that. */
const VERSIONED_BY = ['head', 'load', 'epoch', 'usedP', 'usedM', 'usedS', 'usedN'] as const;

/** Puts an item where there was none, or in the place of the one that was seen, as it was seen. */
export const putOver = (as: string, table: string, item: Item, seen: Item | undefined): Write => {
  if (seen === undefined) return putNew(as, table, item);
  const names: Record<string, string> = {};
  const values: Item = {};
  const placeholders = {
    name: (attribute: string): string => {
      const alias = `#${attribute}`;
      names[alias] = attribute;
      return alias;
    },
    value: (value: Item[string]): string => {
      const tag = `:${Object.keys(values).length}`;
      values[tag] = value;
      return tag;
    },
  };
  const clauses = VERSIONED_BY.flatMap((name) => {
    const value = seen[name];
    return value === undefined ? [] : [attributeEquals(name, value)(placeholders)];
  });
  const ConditionExpression = clauses.length === 0 ? 'attribute_exists(pk)' : clauses.join(' AND ');
  return {
    as,
    item: {
      Put: {
        TableName: table,
        Item: item,
        ConditionExpression,
        ...(clauses.length === 0
          ? {}
          : { ExpressionAttributeNames: names, ExpressionAttributeValues: values }),
      },
    },
  };
};
