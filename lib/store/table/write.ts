import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { Item } from './attributes.ts';

/** One item of a transaction under the name by which its failed condition is told. */
export interface Write {
  readonly as: string;
  readonly item: TransactWriteItem;
}

/** Asks for the item as it stands when the condition fails: a newer picture of it for the next try. */
export const tellingOld = ({ as, item }: Write): Write => {
  const old = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const;
  if (item.Update) return { as, item: { Update: { ...item.Update, ...old } } };
  if (item.Put) return { as, item: { Put: { ...item.Put, ...old } } };
  return { as, item };
};

/** A conditional update as DynamoDB takes it, alone or in a transaction. */
export interface UpdateInput {
  TableName: string;
  Key: Item;
  UpdateExpression: string;
  ConditionExpression: string;
  ExpressionAttributeNames: Record<string, string>;
  ExpressionAttributeValues?: Item;
}
