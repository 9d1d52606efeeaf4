import * as z from 'zod';
import { wholeNumber } from './common.ts';

/** Of the data of every type below; a change that readers would not understand makes `v2` beside it. */
const EVENT_VERSION = 1;
const PREFIX = 'labscape';

export const eventType = (name: string): string => `${PREFIX}.${name}.v${EVENT_VERSION}`;

/** Where the audit has it. */
const Recorded = z.object({ entity: z.string(), rev: z.int(), hash: z.string() });

/** Any change of an audited entity, with all that its audit event says. */
const ChangedData = Recorded.extend({
  actor: z.string(),
  request: z.string(),
  body: z.record(z.string(), z.unknown()),
});
/** A group has another owner from now on. */
const MovedData = Recorded.extend({
  group: z.string(),
  from: z.string().nullable().meta({ description: 'null: it waited for a home' }),
  to: z.string(),
  epoch: z.int().min(1),
});
/** A group has no owner from now on. */
const WaitingData = Recorded.extend({
  group: z.string(),
  from: z.string(),
  epoch: z.int().min(1),
  reason: z.string().optional(),
});

const Attributes = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  source: z.string().regex(/^\/[a-z0-9/-]+$/),
  subject: z.string().min(1),
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,1024}$/)
    .optional()
    .meta({ description: 'extension: where the feed goes on behind this event' }),
});

/** CloudEvents 1.0, JSON format: an event for each audited change, and one for each move that it made. */
export const CloudEvent = z.union([
  Attributes.extend({ type: z.literal(eventType('group.moved')), data: MovedData }),
  Attributes.extend({ type: z.literal(eventType('group.waiting')), data: WaitingData }),
  Attributes.extend({
    type: z.string().regex(/^labscape\.(?!group\.)[a-z]+\.[a-z-]+\.v1$/),
    data: ChangedData,
  }),
]);
export type CloudEvent = z.infer<typeof CloudEvent>;

/** JSON batch format. */
export const CLOUD_EVENTS = 'application/cloudevents-batch+json';
export const CloudEventBatch = z.array(CloudEvent);

export const FeedQuery = z.strictObject({
  after: z
    .string()
    .max(1024)
    .optional()
    .meta({ description: '`cursor` of the last event that was taken in' }),
  from: wholeNumber(0, 9_999_999_999_999)
    .optional()
    .meta({ description: 'where to begin without `after`, epoch ms; a day ago unless given' }),
  limit: wholeNumber(1, 100).optional().meta({ description: 'audited changes' }),
});
