import * as z from 'zod';
import { Line } from './text.ts';

/** Largest integer any dimension accepts: far above real hosts, far below 2^53 so that sums stay exact. */
export const QUANTITY_MAX = 1_000_000_000_000;

export const idPattern = /^[a-z0-9-]{1,40}$/;

/** Identifier of a labscape, resource, tenant, group or principal. */
export const Id = z
  .string()
  .regex(idPattern, 'must be 1 to 40 characters of a-z, 0-9 and -')
  .meta({ description: 'identifier: 1 to 40 characters of a-z, 0-9 and -' });

/**
 * Who calls: an Id of the issuer's, or `SCOPE.NAME` of a key that is registered here. Tokens cannot say a dot, so
 * neither kind can be taken for the other.
 */
export const PrincipalId = z
  .string()
  .regex(
    /^[a-z0-9-]{1,40}(\.[a-z0-9-]{1,40})?$/,
    'must be 1 to 40 characters of a-z, 0-9 and -, or two such names with a dot between',
  );

/** A recovery's id is its first execution's name, `resource-epoch-attempt`, hence longer than an Id. */
export const RecoveryId = z
  .string()
  .regex(/^[a-z0-9-]{1,80}$/, 'must be 1 to 80 characters of a-z, 0-9 and -');

/** RFC 9110 leaves keys open; printable ASCII without spaces keeps them loggable. */
export const IdempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters without spaces');

const quantity = z.int().min(0).max(QUANTITY_MAX);

export const DIMENSIONS = ['processing', 'memory', 'storage', 'network'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Integers: processing in milli-vCPU, memory in MiB, storage in GiB, network in Mbit/s. */
export const Vector = z
  .strictObject({ processing: quantity, memory: quantity, storage: quantity, network: quantity })
  .meta({ description: 'processing milli-vCPU, memory MiB, storage GiB, network Mbit/s' });
export type Vector = z.infer<typeof Vector>;

/** A demand asks for something: the zero vector is refused. */
export const Demand = Vector.refine(
  (v) => DIMENSIONS.some((d) => v[d] > 0),
  'at least one dimension must be greater than 0',
);

export const Capacity = z.strictObject({
  processing: quantity.min(1),
  memory: quantity.min(1),
  storage: quantity.min(1),
  network: quantity.min(1),
});

/** Urgency order: the first moves first and is pre-empted last. */
export const CLASSES = ['critical', 'high', 'normal', 'low'] as const;
export const Class = z.enum(CLASSES);
export type Class = z.infer<typeof Class>;

const labelKey = z.string().regex(/^[a-z0-9][a-z0-9._/-]{0,62}$/, 'must be a label key of a-z, 0-9 and ._/-');
const labelValue = z
  .string()
  .regex(/^[A-Za-z0-9._-]{0,63}$/, 'must be at most 63 characters of A-Z, a-z, 0-9 and ._-');

/** Bound that keeps a resource item under 1 KB. */
const LABELS_MAX = 8;
export const Labels = z
  .record(labelKey, labelValue)
  .refine((labels) => Object.keys(labels).length <= LABELS_MAX, `at most ${LABELS_MAX} labels`);
export type Labels = z.infer<typeof Labels>;

/** Free text for people: why somebody did something. */
export const Reason = Line(500);

/** Epoch milliseconds, UTC. */
export const Instant = z.int().min(0).max(8_640_000_000_000_000);

const DECIMAL = /^-?\d{1,16}(\.\d+)?$/;

/** A whole number in a query string, in decimal digits: `1e2`, `0x10` and blanks are what nobody means to send. */
export const wholeNumber = (min: number, max: number = Number.MAX_SAFE_INTEGER) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? (DECIMAL.test(value) ? Number(value) : Number.NaN) : value),
    z.int().min(min).max(max),
  );

export const PAGE_SIZE_DEFAULT = 100;
export const PAGE_SIZE_MAX = 500;
export const Page = z.strictObject({
  cursor: z.string().max(1024).optional(),
  limit: wholeNumber(1, PAGE_SIZE_MAX).optional(),
});

/** A page of results; `next` is absent on the last one. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), next: z.string().optional() });

/** For the document: at least one of these fields is there. The rule itself is a refinement, which no document shows. */
export const oneOf = (...fields: readonly string[]) => ({
  anyOf: fields.map((field) => ({ required: [field] })),
});
