import { ProblemError } from '../../errors.ts';
import { decideDrill, wantsDrills } from '../../failover/drill-schedule.ts';
import { isEnded } from '../../failover/recovery-status.ts';
import type { Drill } from '../../schemas/drills.ts';
import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import { timeKey } from '../../store/keys.ts';
import { beginDrill, lastDrills, settleDrill } from '../../store/recovery/drills.ts';
import { readRecovery } from '../../store/recovery/recoveries.ts';
import type { FleetResource } from '../fleet.ts';
import { system } from '../origin.ts';
import { holdingsOf, quoteHeld } from '../recovery/quote.ts';
import { drainResource } from '../recovery/recovery-start.ts';
import { getResource } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { takeBack } from '../waiting/take-back.ts';
import { conditionOf, spanOf } from './condition.ts';

/** Failures that one drill without effect quotes: the fullest resources. */
const QUOTED_MAX = 20;
/** Resources that are looked at for one that may be drained: those that hold least. */
const LOOKED_MAX = 5;
/** How long a drained resource's work moves while it runs, well within what a sweep may take, ms. */
const GRACE_MS = 5_000;
/** A drill that nothing is heard of for so long was interrupted, ms. */
const LOST_AFTER_MS = 600_000;

const counted = { resources: 0, groups: 0, pending: 0 };

/** The same code as a recovery's, every effect withheld: what would become of each of the fullest, one at a time. */
const quoteEach = async (runtime: Runtime, own: readonly FleetResource[]): Promise<Partial<Drill>> => {
  const snapshot = await runtime.fleet.snapshot();
  const fullest = own
    .filter(({ groups }) => groups.length > 0)
    .sort((a, b) => b.groups.length - a.groups.length || (a.id < b.id ? -1 : 1))
    .slice(0, QUOTED_MAX);
  const sums = { ...counted };
  const against = new Set<string>();
  for (const resource of fullest) {
    const quote = await quoteHeld(runtime, [await holdingsOf(runtime, resource)], snapshot);
    sums.resources += 1;
    sums.groups += quote.moves.length + quote.pending.length;
    sums.pending += quote.pending.length;
    for (const { rule, effect, override } of quote.resources[0]?.objections ?? [])
      if (effect === 'refuses' && override === undefined) against.add(rule);
  }
  const faults = [
    ...(sums.pending > 0 ? [`${sums.pending} of ${sums.groups} groups would find no place`] : []),
    ...[...against].map((rule) => `${rule} refuses`),
  ];
  const good = `${sums.groups} groups of ${sums.resources} resources would find a place`;
  return { ...sums, status: faults.length === 0 ? 'passed' : 'failed', why: faults.join('; ') || good };
};

/** One that holds little, and all of whose work would find a place. */
const victimOf = async (
  runtime: Runtime,
  own: readonly FleetResource[],
): Promise<FleetResource | undefined> => {
  const snapshot = await runtime.fleet.snapshot();
  const least = own
    .filter(({ groups, status }) => groups.length > 0 && status === 'healthy')
    .sort((a, b) => a.groups.length - b.groups.length || (a.id < b.id ? -1 : 1));
  for (const resource of least.slice(0, LOOKED_MAX)) {
    const quote = await quoteHeld(runtime, [await holdingsOf(runtime, resource)], snapshot);
    if (quote.pending.length === 0) return resource;
  }
  return undefined;
};

/** Drains one; its recovery is looked after by the sweeps to come. */
const drain = async (
  runtime: Runtime,
  drill: Drill,
  own: readonly FleetResource[],
  request: string,
): Promise<Drill> => {
  const victim = await victimOf(runtime, own);
  if (victim === undefined)
    return {
      ...drill,
      status: 'failed',
      why: 'no resource of it could be drained: its work would find no place',
    };
  const begun = { ...drill, resource: victim.id, resources: 1, groups: victim.groups.length };
  await settleDrill(runtime.store, begun);
  const input = { reason: `drill ${drill.id}`, graceMs: GRACE_MS };
  const { recovery } = await drainResource(runtime, victim.id, input, system('drills', request));
  return { ...begun, recovery, why: 'it is being drained' };
};

/** Puts the drained resource back, and says what came of it, once its recovery is over. */
const goOn = async (runtime: Runtime, drill: Drill, request: string): Promise<Drill> => {
  const { resource: id, at } = drill;
  const now = runtime.clock.now();
  const lost = now - at > LOST_AFTER_MS;
  const failed = (why: string): Drill => ({ ...drill, status: 'failed', why, endedAt: now });
  if (id === undefined) return lost ? failed('it was interrupted before it began') : drill;
  const resource = await getResource(runtime, id);
  const name = drill.recovery ?? resource.recovery;
  const recovery = name === undefined ? undefined : await readRecovery(runtime.store, name);
  if (resource.recovery !== undefined && !lost) return { ...drill, recovery: resource.recovery };
  if (resource.status === 'drained')
    await takeBack(runtime, id, `drill ${drill.id} is over`, system('drills', request));
  if (recovery === undefined || !isEnded(recovery.status))
    return lost ? failed('its recovery was not heard of again') : drill;
  const pending = recovery.pending.length;
  const done = { ...drill, recovery: recovery.id, pending, endedAt: now };
  return recovery.status === 'done' && pending === 0
    ? { ...done, status: 'passed', why: `${drill.groups} groups of ${id} moved, and it is back` }
    : {
        ...done,
        status: 'failed',
        why: `recovery ${recovery.id} ended as ${recovery.status}: ${recovery.reason}`,
      };
};

/** The last drill of a labscape after one look at it. */
const drillOf = async (
  runtime: Runtime,
  labscape: LabscapeRecord,
  own: readonly FleetResource[],
  request: string,
  mayEffect: boolean,
): Promise<Drill | undefined> => {
  const [last] = await lastDrills(runtime.store, labscape.id, 1);
  if (last?.status === 'running') {
    const after = await goOn(runtime, last, request);
    if (JSON.stringify(after) !== JSON.stringify(last)) await settleDrill(runtime.store, after);
    return after;
  }
  const now = runtime.clock.now();
  const condition = conditionOf(labscape, own, !mayEffect, now);
  const decision = decideDrill(labscape.policy.drills, spanOf(last), condition, now);
  if (decision.kind !== 'drill') return last;
  const drill: Drill = {
    ...{ id: timeKey(decision.span), labscape: labscape.id, at: now, effect: decision.effect },
    ...{ status: 'running', why: 'it has begun', ...counted },
  };
  // Another sweep is at it.
  if (!(await beginDrill(runtime.store, drill))) return last;
  const after = decision.effect
    ? await drain(runtime, drill, own, request)
    : { ...drill, ...(await quoteEach(runtime, own)) };
  const settled = after.status === 'running' ? after : { ...after, endedAt: runtime.clock.now() };
  await settleDrill(runtime.store, settled);
  return settled;
};

/**
 * Drills where labscapes want them, one with effect at a time over the whole fleet; the last drill of each such labscape.
 * One that a store or a race stops is taken up by the next sweep.
 */
export const drillByItself = async (
  runtime: Runtime,
  request: string,
): Promise<ReadonlyMap<string, Drill>> => {
  const { labscapes, resources } = await runtime.fleet.snapshot();
  const byLabscape = Map.groupBy(resources, ({ labscape }) => labscape);
  const found = new Map<string, Drill>();
  let mayEffect = resources.every(({ recovery }) => recovery === undefined);
  for (const labscape of labscapes.values()) {
    if (!wantsDrills(labscape.policy.drills)) continue;
    try {
      const drill = await drillOf(runtime, labscape, byLabscape.get(labscape.id) ?? [], request, mayEffect);
      if (drill === undefined) continue;
      found.set(labscape.id, drill);
      if (drill.effect && drill.status === 'running') mayEffect = false;
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
    }
  }
  return found;
};
