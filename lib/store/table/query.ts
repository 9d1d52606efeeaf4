import { S } from './attributes.ts';

/** The part of a Query that names a whole partition of a table, in the order of its sort keys. */
export const inPartition = (pk: string) => ({
  KeyConditionExpression: 'pk = :pk',
  ExpressionAttributeValues: { ':pk': S(pk) },
});
