import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { changing, ProblemError } from '../../errors.ts';
import type { Overrides } from '../../failover/rules.ts';
import type { Override, OverrideInput } from '../../schemas/override.ts';
import { isBreakGlass } from '../../security/break-glass.ts';
import {
  type OverrideRecord,
  overridesOf,
  proposeWrites,
  readOverride,
  settleOverrideWrites,
} from '../../store/recovery/overrides.ts';
import { originOf, type Requester } from '../origin.ts';
import { getResource } from '../registry/resources.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';

const counts = ({ status, expiresAt }: OverrideRecord, now: number): boolean =>
  status === 'active' && expiresAt !== undefined && now < expiresAt;

const overrideView = (record: OverrideRecord, now: number): Override => {
  const { chain: _, resource, confirmedBy, expiresAt, ...rest } = record;
  return {
    ...rest,
    ...(resource === undefined ? {} : { resource }),
    ...(confirmedBy === undefined ? {} : { confirmedBy }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    counts: counts(record, now),
  };
};

/** The first of two people. Raises not-found, conflict (the resource is of another labscape), unavailable. */
export const proposeOverride = async (
  runtime: Runtime,
  labscape: string,
  input: OverrideInput,
  requester: Requester,
): Promise<Override> => {
  if ((await runtime.fleet.labscape(labscape)) === undefined)
    throw new ProblemError('not-found', `no labscape ${labscape} has joined`);
  if (input.resource !== undefined) {
    const { labscape: home } = await getResource(runtime, input.resource);
    if (home !== labscape)
      throw new ProblemError('conflict', `resource ${input.resource} is of labscape ${home}`);
  }
  const id = runtime.chance.id();
  const { rule, resource, reason, expiresInMs } = input;
  const origin = originOf(requester, runtime.clock);
  const body = { rule, resource: resource ?? null, reason, expiresInMs };
  const event = nextEvent(entityOf.override(labscape, id), EMPTY_CHAIN, origin, 'override.proposed', body);
  const record: OverrideRecord = {
    ...{ id, rule, labscape, resource, reason, expiresInMs, status: 'proposed' },
    ...{ proposedBy: requester.actor, proposedAt: event.at },
    ...{ confirmedBy: undefined, expiresAt: undefined, chain: headOf(event) },
  };
  const outcome = await runtime.store.transact(proposeWrites(runtime.store, record, event));
  if (outcome.kind !== 'done') throw changing(`override ${id}`);
  return overrideView(record, event.at);
};

const getOverride = async (runtime: Runtime, labscape: string, id: string): Promise<OverrideRecord> => {
  const record = await readOverride(runtime.store, labscape, id);
  if (record === undefined) throw new ProblemError('not-found', `labscape ${labscape} has no override ${id}`);
  return record;
};

/** The second of two people; from then on it counts, until it expires. Raises not-found, conflict, not-in-this-state. */
export const confirmOverride = async (
  runtime: Runtime,
  labscape: string,
  id: string,
  reason: string,
  requester: Requester,
): Promise<Override> =>
  untilWon(runtime, `override ${id}`, async () => {
    const before = await getOverride(runtime, labscape, id);
    if (before.status !== 'proposed')
      throw new ProblemError('not-in-this-state', `override ${id} is ${before.status}`);
    // A break-glass key is for when there is nobody else; its use is an event and an alarm.
    if (before.proposedBy === requester.actor && !isBreakGlass(requester.actor))
      throw new ProblemError(
        'conflict',
        `${requester.actor} proposed override ${id}: somebody else confirms it`,
      );
    const now = runtime.clock.now();
    const after = {
      status: 'active',
      confirmedBy: requester.actor,
      expiresAt: now + before.expiresInMs,
    } as const;
    return settle(
      runtime,
      before,
      { ...before, ...after },
      { type: 'override.confirmed', reason },
      requester,
    );
  });

/** Ends it, whoever proposed it. Raises not-found, not-in-this-state. */
export const withdrawOverride = async (
  runtime: Runtime,
  labscape: string,
  id: string,
  reason: string,
  requester: Requester,
): Promise<Override> =>
  untilWon(runtime, `override ${id}`, async () => {
    const before = await getOverride(runtime, labscape, id);
    if (before.status === 'withdrawn')
      throw new ProblemError('not-in-this-state', `override ${id} is withdrawn already`);
    return settle(
      runtime,
      before,
      { ...before, status: 'withdrawn' },
      { type: 'override.withdrawn', reason },
      requester,
    );
  });

/** Undefined when somebody else was first. */

const settle = async (
  runtime: Runtime,
  before: OverrideRecord,
  after: OverrideRecord,
  { type, reason }: { readonly type: string; readonly reason: string },
  requester: Requester,
): Promise<Override | undefined> => {
  const origin = originOf(requester, runtime.clock);
  const entity = entityOf.override(before.labscape, before.id);
  const body = { rule: before.rule, reason, expiresAt: after.expiresAt ?? null };
  const event = nextEvent(entity, before.chain, origin, type, body);
  const outcome = await runtime.store.transact(settleOverrideWrites(runtime.store, before, after, event));
  if (outcome.kind !== 'done') return undefined;
  return overrideView({ ...after, chain: headOf(event) }, event.at);
};

export const listOverrides = async (runtime: Runtime, labscape: string): Promise<Override[]> => {
  const now = runtime.clock.now();
  return (await overridesOf(runtime.store, labscape)).map((record) => overrideView(record, now));
};

/** Rules that do not count now for a resource of a labscape, by the override that says so. */
export const overridesIn = async (
  runtime: Runtime,
  labscape: string,
): Promise<(resource: string) => Overrides> => {
  const now = runtime.clock.now();
  const counting = (await overridesOf(runtime.store, labscape)).filter((record) => counts(record, now));
  return (id) =>
    new Map(
      counting
        .filter(({ resource }) => resource === undefined || resource === id)
        .map(({ rule, id: override }) => [rule, override]),
    );
};

/** The same for one resource. */
export const overridesFor = async (
  runtime: Runtime,
  { id, labscape }: { readonly id: string; readonly labscape: string },
): Promise<Overrides> => (await overridesIn(runtime, labscape))(id);
