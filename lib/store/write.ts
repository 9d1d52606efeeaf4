import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import type { Item } from './attributes.ts';

/** One item of a transaction under the name by which its failed condition is told. */
export interface Write {
  readonly as: string;
  readonly item: TransactWriteItem;
}

/** A conditional update as DynamoDB takes it, alone or in a transaction. */
export interface UpdateInput {
  TableName: string;
  Key: Item;
  UpdateExpression: string;
  ConditionExpression: string;
  ExpressionAttributeNames: Record<string, string>;
  ExpressionAttributeValues?: Item;
}
