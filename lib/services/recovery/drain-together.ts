import { type ResourceRecord, readResource } from '../../store/fleet/resources.ts';
import { writeBriefs } from '../../store/recovery/recovery-briefs.ts';
import { markDrain } from '../../store/recovery/recovery-writes.ts';
import type { Requester } from '../origin.ts';
import type { Runtime } from '../runtime.ts';
import { moveGracefully } from './graceful.ts';
import { briefsOf } from './joint-briefs.ts';
import { planMovesTogether } from './plan-moves.ts';
import { asSource, type Held, holdingsOf } from './quote.ts';
import { inputFor } from './recovery-start.ts';
import { refuseIfOff } from './switched-off.ts';

/** Resources that move their work at the same time. */
const TOGETHER = 16;
/**
 * No more are begun after that, ms: with the longest grace of those that are under way it is well within what a call, or
 * a sweep, may take.
 */
const WORK_MS_MAX = 6_000;

export interface DrainTogether {
  readonly reason: string;
  /** Of each of them; undefined: all goes behind a fence. */
  readonly graceMs: number | undefined;
  /** All that are to be emptied, those besides that are done or not begun yet: none takes the work of another. */
  readonly emptied: readonly string[];
}

/** One that still runs is drained; one that has failed meanwhile cannot be, and is failed over. */
const triggerFor = ({ status, recovery }: ResourceRecord): 'drain' | 'api' | undefined => {
  if (recovery !== undefined) return undefined;
  if (status === 'failed') return 'api';
  return status === 'healthy' || status === 'suspect' ? 'drain' : undefined;
};

/** A few at once: what runs moves gracefully, what is left by one plan for all of them behind their fences. */
const drainSome = async (
  runtime: Runtime,
  some: readonly ResourceRecord[],
  { reason, graceMs, emptied }: DrainTogether,
  requester: Requester,
): Promise<void> => {
  const drained = await Promise.all(
    some.map(async (seen) => {
      const grace =
        graceMs === undefined || triggerFor(seen) !== 'drain'
          ? undefined
          : await moveGracefully(runtime, seen.id, { reason, budgetMs: graceMs, except: emptied }, requester);
      const now = await readResource(runtime.store, seen.labscape, seen.id);
      const trigger = now === undefined ? undefined : triggerFor(now);
      if (now === undefined || trigger === undefined) return [];
      return [{ held: await holdingsOf(runtime, now), grace, trigger }];
    }),
  );
  const left = drained.flat();
  const graces = new Map(left.map(({ held, grace }) => [held.resource.id, grace]));
  const held: readonly Held[] = left.map((one) => one.held);
  const { resources } = await runtime.fleet.snapshot(0);
  const away = new Set(emptied);
  const at = runtime.clock.now();
  const others = resources.filter(({ id }) => !away.has(id));
  const plan = planMovesTogether(held.map(asSource), others, at);
  const briefs = briefsOf(held, plan, runtime.chance.id(), at).map(({ joint, ...brief }) => ({
    ...brief,
    grace: graces.get(brief.resource),
    // A plan of nothing is none.
    ...(joint !== undefined && joint.wishes.size > 0 ? { joint } : {}),
  }));
  await writeBriefs(runtime.store, briefs);
  await Promise.all(
    left.map(async ({ held: { resource }, trigger }) => {
      if (trigger === 'drain') await markDrain(runtime.store, resource, at);
      // One that runs by that name is joined: it may not have written anything yet.
      await runtime.executions.start(inputFor(resource, trigger));
    }),
  );
};

/**
 * Drains several resources as one: none takes the work of another, and what has no room below fill while they run goes,
 * behind their fences, where one plan for all wants it. How many were not begun in the time of one call. What is owned by
 * a recovery, or runs nothing, is left alone. Raises not-in-this-state: a labscape of theirs is switched off.
 */
export const drainTogether = async (
  runtime: Runtime,
  resources: readonly ResourceRecord[],
  input: DrainTogether,
  requester: Requester,
): Promise<{ readonly left: number }> => {
  const untilMs = runtime.clock.monotonicMs() + WORK_MS_MAX;
  for (const labscape of new Set(resources.map((one) => one.labscape))) await refuseIfOff(runtime, labscape);
  let begun = 0;
  while (begun < resources.length && runtime.clock.monotonicMs() < untilMs) {
    await drainSome(runtime, resources.slice(begun, begun + TOGETHER), input, requester);
    begun += TOGETHER;
  }
  return { left: Math.max(0, resources.length - begun) };
};
