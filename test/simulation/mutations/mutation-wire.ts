import * as z from 'zod';
import type { Item } from '../../../lib/store/table/attributes.ts';
import type { WireRequest } from '../worker/store-line.ts';

/** One write as the store's own request builders put it on the wire. */
export interface WireWrite {
  TableName: string;
  Key?: Item;
  Item?: Item;
  UpdateExpression?: string;
  ConditionExpression?: string;
  ExpressionAttributeNames?: Record<string, string>;
  ExpressionAttributeValues?: Item;
}
const Put = z.custom<WireWrite>().optional();
const Body = z.looseObject({
  TransactItems: z.array(z.looseObject({ Put, Update: Put })).optional(),
});

/** What a write is about: the kind at the beginning of its key, or the type of its event. */
export const subjectOf = (write: WireWrite): string =>
  write.Item?.['type']?.S !== undefined && write.Item['entity'] !== undefined
    ? `event ${write.Item['type'].S}`
    : (write.Key?.['sk']?.S ?? write.Item?.['sk']?.S ?? '');

export interface Writes {
  readonly updates: readonly WireWrite[];
  readonly puts: readonly WireWrite[];
  /** Types of the events in it. */
  readonly events: readonly string[];
}

/** Changes the writes of a request in place; requests that do not write stay as they are. */
export const editing =
  (edit: (writes: Writes, by: string) => void) =>
  (request: WireRequest, by: string): WireRequest => {
    if (request.operation === 'UpdateItem') {
      const update: WireWrite = JSON.parse(request.body);
      edit({ updates: [update], puts: [], events: [] }, by);
      return { ...request, body: JSON.stringify(update) };
    }
    if (request.operation !== 'TransactWriteItems') return request;
    const body = Body.parse(JSON.parse(request.body));
    edit(writesOf(body), by);
    return { ...request, body: JSON.stringify(body) };
  };

const writesOf = ({ TransactItems = [] }: z.infer<typeof Body>): Writes => {
  const puts = TransactItems.flatMap(({ Put }) => Put ?? []);
  const events = puts.map(subjectOf).filter((subject) => subject.startsWith('event '));
  return {
    updates: TransactItems.flatMap(({ Update }) => Update ?? []),
    puts,
    events: events.map((subject) => subject.slice('event '.length)),
  };
};

/** Takes a write's event out of the transaction, and returns it. */
export const withoutEvents = (
  request: WireRequest,
): { readonly rest: WireRequest; readonly events: readonly WireWrite[] } => {
  const body = Body.parse(JSON.parse(request.body));
  const isEvent = ({ Put }: { Put?: WireWrite | undefined }): boolean =>
    Put !== undefined && subjectOf(Put).startsWith('event ');
  const events = (body.TransactItems ?? []).flatMap((item) => (isEvent(item) ? (item.Put ?? []) : []));
  const TransactItems = body.TransactItems?.filter((item) => !isEvent(item));
  return { rest: { ...request, body: JSON.stringify({ ...body, TransactItems }) }, events };
};

/** A transaction without its last allocation and that one's event. */
export const withoutLastMember = (request: WireRequest): WireRequest => {
  const body = Body.parse(JSON.parse(request.body));
  const items = [...(body.TransactItems ?? [])];
  const dropLast = (isOne: (subject: string) => boolean): void => {
    const at = items.findLastIndex(({ Put }) => Put !== undefined && isOne(subjectOf(Put)));
    if (at >= 0) items.splice(at, 1);
  };
  dropLast((subject) => subject.startsWith('ALLOC#'));
  dropLast((subject) => subject === 'event allocation.placed');
  return { ...request, body: JSON.stringify({ ...body, TransactItems: items }) };
};

const aliasOf = (write: WireWrite, name: string): string | undefined =>
  Object.entries(write.ExpressionAttributeNames ?? {}).find(([, attribute]) => attribute === name)?.[0];

/** Drops every clause of the condition that names one of these attributes. */
export const dropConditions = (write: WireWrite, ...names: readonly string[]): void => {
  const aliases = names.map((name) => aliasOf(write, name)).filter((alias) => alias !== undefined);
  const clauses = (write.ConditionExpression ?? '').split(' AND ');
  const left = clauses.filter((clause) => !aliases.some((alias) => new RegExp(`${alias}\\b`).test(clause)));
  write.ConditionExpression = left.length === 0 ? 'attribute_exists(pk)' : left.join(' AND ');
  tidy(write);
};

/** Drops the attributes from what is set, added or removed. */
export const dropChanges = (write: WireWrite, ...names: readonly string[]): void => {
  const aliases = names.map((name) => aliasOf(write, name));
  const parts = (write.UpdateExpression ?? '')
    .split(/\b(SET|ADD|DELETE|REMOVE)\b/)
    .map((part) => part.trim());
  const kept: string[] = [];
  for (let at = 1; at < parts.length; at += 2) {
    const clauses = (parts[at + 1] ?? '').split(',').map((clause) => clause.trim());
    const left = clauses.filter((clause) => !aliases.includes(clause.split(/\s/)[0]));
    if (left.length > 0) kept.push(`${parts[at]} ${left.join(', ')}`);
  }
  write.UpdateExpression = kept.join(' ');
  tidy(write);
};

/** The value that `name` is set to or raised by; undefined when the write leaves it alone. */
export const changeOf = (write: WireWrite, name: string): Item[string] | undefined => {
  const alias = aliasOf(write, name);
  const found = new RegExp(`${alias}(?: =)? (:\\w+)`).exec(write.UpdateExpression ?? '')?.[1];
  return alias === undefined || found === undefined ? undefined : write.ExpressionAttributeValues?.[found];
};

/** Placeholders that nothing uses any more are an error to the engine. */
const tidy = (write: WireWrite): void => {
  const used = `${write.UpdateExpression} ${write.ConditionExpression}`;
  const uses = (placeholder: string): boolean => new RegExp(`${placeholder}\\b`).test(used);
  const names = Object.entries(write.ExpressionAttributeNames ?? {}).filter(([alias]) => uses(alias));
  const values = Object.entries(write.ExpressionAttributeValues ?? {}).filter(([tag]) => uses(tag));
  write.ExpressionAttributeNames = Object.fromEntries(names);
  if (values.length === 0) delete write.ExpressionAttributeValues;
  else write.ExpressionAttributeValues = Object.fromEntries(values);
};

/** Adds `by` to the number to which `name` is compared as a bound. */
export const raiseBound = (write: WireWrite, name: string, by: number): void => {
  const alias = aliasOf(write, name);
  const tag = new RegExp(`${alias} <= (:\\w+)`).exec(write.ConditionExpression ?? '')?.[1];
  const value = alias === undefined || tag === undefined ? undefined : write.ExpressionAttributeValues?.[tag];
  if (value?.N !== undefined) value.N = String(Number(value.N) + by);
};
