import { entityOf } from '../../audit/event.ts';
import {
  type FailureEnd,
  hindsightOf,
  unneededWithinMs,
  wouldHave,
} from '../../failover/observed-decision.ts';
import { type DecisionFacts, isByPerson, type Overrides, objectionsTo } from '../../failover/rules.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Observed, ObservedDecision } from '../../schemas/observed.ts';
import { TRIGGERS } from '../../schemas/recovery.ts';
import { eventsAfter } from '../../store/events.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import { isObserved, type ObservedRecord, observedOf } from '../../store/recovery/observed-decisions.ts';
import { getLabscape } from '../registry/labscapes.ts';
import type { Runtime } from '../runtime.ts';
import { inLanes } from './lanes.ts';

/** Decisions that a report counts, and how many chains are read at a time. */
const REPORTED = 100;
const LANES = 16;
/** Events after a decision that may tell its end: refusals come once a minute, and who is away for longer was away. */
const EVENTS_MAX = 20;

/** Triggers by which a fence tells that a person had it recovered. */
const PEOPLE: ReadonlySet<string> = new Set(TRIGGERS.filter(isByPerson));

export interface ObservedCause {
  readonly recovery: string;
  readonly beatMs: number;
  /** What the rules looked at last. */
  readonly facts: DecisionFacts;
  readonly overrides: Overrides | undefined;
  readonly at: number;
  /** Of the event that tells of the refusal. */
  readonly rev: number;
}

/** What a labscape that only observes keeps of a refusal; undefined when this failure was decided before. */
export const observedBy = async (
  runtime: Pick<Runtime, 'store'>,
  { id: resource, labscape, since: failedAt, statusReason: because }: ResourceRecord,
  { recovery, beatMs, facts, overrides, at, rev }: ObservedCause,
): Promise<ObservedRecord | undefined> => {
  if (await isObserved(runtime.store, { labscape, resource, failedAt })) return undefined;
  return {
    ...{ labscape, resource, recovery, failedAt, because, decidedAt: at, rev },
    would: wouldHave(objectionsTo(facts, overrides)),
    groups: facts.groups,
    unneededWithinMs: unneededWithinMs(beatMs),
  };
};

/** The end of a failure, if the event tells of it. */
const endOf = ({ type, at, body }: AuditEvent): FailureEnd | undefined => {
  switch (type) {
    case 'resource.healthy':
      return { at, by: 'itself' };
    case 'resource.fenced':
      return { at, by: PEOPLE.has(String(body['trigger'])) ? 'failed' : 'recovery' };
    case 'resource.activated':
    case 'resource.retired':
      return { at, by: 'person' };
    default:
      return undefined;
  }
};

const judged = async (runtime: Runtime, record: ObservedRecord, now: number): Promise<ObservedDecision> => {
  const { labscape: _, rev, ...decision } = record;
  const events = await eventsAfter(runtime.store, entityOf.resource(record.resource), rev, EVENTS_MAX);
  const end = events.map(endOf).find((one) => one !== undefined);
  return {
    ...decision,
    ...hindsightOf(decision, end, now),
    ...(end === undefined ? {} : { endedAt: end.at }),
  };
};

/**
 * What automation would have done in a labscape that observed, beside what really happened by the resources' own audit
 * chains. Raises not-found.
 */
export const observedIn = async (runtime: Runtime, labscape: string): Promise<Observed> => {
  const { policy } = await getLabscape(runtime, labscape);
  const records = await observedOf(runtime.store, labscape, REPORTED);
  const now = runtime.clock.now();
  const items = await inLanes(records, LANES, (record) => judged(runtime, record, now));
  const count = (hindsight: ObservedDecision['hindsight']): number =>
    items.filter((item) => item.hindsight === hindsight).length;
  return {
    ...{ labscape, mode: policy.mode, items: [...items] },
    counts: { right: count('right'), unneeded: count('unneeded'), undecided: count('undecided') },
  };
};
