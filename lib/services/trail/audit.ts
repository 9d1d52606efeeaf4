import * as z from 'zod';
import { type Fault, verifyChain } from '../../audit/chain.ts';
import type { ChainHead } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { Id } from '../../schemas/common.ts';
import { readPrincipal } from '../../store/access/principals.ts';
import { readTenant } from '../../store/access/tenants.ts';
import { readRun } from '../../store/backup/runs.ts';
import { decodeEvent, eventsOfDay, eventsOfEntity } from '../../store/events.ts';
import { readLabscape } from '../../store/fleet/labscapes.ts';
import { dayOf } from '../../store/keys.ts';
import { readAllocation } from '../../store/placement/allocations.ts';
import { readOverride } from '../../store/recovery/overrides.ts';
import { readRecovery } from '../../store/recovery/recoveries.ts';
import { itemOf, StartKey, startKeyOf } from '../../store/table/cursor-key.ts';
import { getResource } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';

const DAY_MS = 86_400_000;
/** Days that one request may look through before it answers with a cursor. */
const DAYS_PER_PAGE_MAX = 31;
/** Longest range of a query by time. */
const RANGE_MAX_MS = 366 * DAY_MS;

export const EventPosition = z.strictObject({ day: z.iso.date().optional(), at: StartKey.optional() });
type EventPosition = z.infer<typeof EventPosition>;

interface EventPage {
  readonly items: AuditEvent[];
  readonly next?: EventPosition;
}

/** One entity's chain from its beginning. */
export const entityEvents = async (
  runtime: Runtime,
  entity: string,
  limit: number,
  from: EventPosition | undefined,
): Promise<EventPage> => {
  const page = await eventsOfEntity(runtime.store, entity, limit, itemOf(from?.at));
  const at = startKeyOf(page.next);
  return { items: page.items.map(decodeEvent), ...(at === undefined ? {} : { next: { at } }) };
};

/** Events of all entities in order of time, day by day; by the index, hence maybe a moment behind. */
export const eventsBetween = async (
  runtime: Runtime,
  range: { readonly fromMs: number; readonly toMs: number },
  limit: number,
  from: EventPosition | undefined,
): Promise<EventPage> => {
  if (range.toMs - range.fromMs > RANGE_MAX_MS) {
    throw new ProblemError('invalid-input', 'ask for at most a year at once', {
      errors: [{ field: 'from', reason: 'is more than 366 days before to' }],
    });
  }
  if (range.fromMs > range.toMs) {
    throw new ProblemError('invalid-input', 'the range ends before it begins', {
      errors: [{ field: 'from', reason: 'is after to' }],
    });
  }
  const items: AuditEvent[] = [];
  const lastDay = dayOf(range.toMs);
  let position: EventPosition | undefined = from ?? { day: dayOf(range.fromMs) };
  for (let days = 0; position !== undefined && items.length < limit; ) {
    if (days >= DAYS_PER_PAGE_MAX) return { items, next: position };
    const day: string = position.day ?? dayOf(range.fromMs);
    const page = await eventsOfDay(runtime.store, day, range, limit - items.length, itemOf(position.at));
    items.push(...page.items.map(decodeEvent));
    const at = startKeyOf(page.next);
    if (at !== undefined) position = { day, at };
    else {
      days += 1;
      position = day >= lastDay ? undefined : { day: dayOf(Date.parse(day) + DAY_MS) };
    }
  }
  return { items, ...(position === undefined ? {} : { next: position }) };
};

/** What the entity itself remembers as its last event. */
const headOfEntity = async (runtime: Runtime, entity: string): Promise<ChainHead | undefined> => {
  const [kind = '', first = '', second = ''] = entity.split('#');
  switch (kind) {
    case 'resource':
      return Id.safeParse(first).success ? (await getResource(runtime, first)).chain : undefined;
    case 'labscape':
      return (await readLabscape(runtime.store, first))?.chain;
    case 'tenant':
      return (await readTenant(runtime.store, first))?.chain;
    case 'principal':
      return (await readPrincipal(runtime.store, first))?.chain;
    case 'recovery':
      return (await readRecovery(runtime.store, first))?.chain;
    case 'allocation':
      return (await readAllocation(runtime.store, first, second))?.chain;
    case 'backup':
      return (await readRun(runtime.store, first))?.chain;
    case 'override':
      return (await readOverride(runtime.store, first, second))?.chain;
    default:
      return undefined;
  }
};

/** Bound of one verification; longer chains are checked from outside, page by page. */
const VERIFIED_MAX = 20_000;

export interface Verification {
  readonly entity: string;
  readonly verified: boolean;
  readonly events: number;
  readonly head: string;
  readonly faults: readonly Fault[];
}

/** Checks a chain against the head its entity remembers. Raises not-found. */
export const verifyEntity = async (runtime: Runtime, entity: string): Promise<Verification> => {
  // The head first: what is appended in between is beyond it, and is left out.
  const head = await headOfEntity(runtime, entity);
  const events: AuditEvent[] = [];
  let position: EventPosition | undefined;
  do {
    const page: EventPage = await entityEvents(runtime, entity, 500, position);
    events.push(...page.items);
    position = page.next;
  } while (position !== undefined && events.length < VERIFIED_MAX);
  if (head === undefined && events.length === 0)
    throw new ProblemError('not-found', `nothing is known of ${entity}`);
  const known = head === undefined ? events : events.filter((event) => event.rev <= head.rev);
  const faults = verifyChain(entity, known, head);
  return { entity, verified: faults.length === 0, events: known.length, head: head?.head ?? '', faults };
};
