import { smallestChanges } from '../../allocation/explain.ts';
import type { PlacementRequest } from '../../allocation/request.ts';
import { ProblemError } from '../../errors.ts';
import { pauseAfterRace } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { type Allocated, type AllocateRequest, draftOf, natureOf } from './allocation-draft.ts';
import { allocationView } from './allocation-view.ts';
import { type Attempt, learnFrom, type Placing, sliceFor } from './attempt.ts';
import { existingOf } from './existing.ts';
import { type Place, placeOn } from './place-on.ts';
import { allocateByPreemption } from './preempt.ts';
import { noCapacity, type Refused, withRefused } from './refusal.ts';
import { waitForRoom } from './wait-for-room.ts';

/** How many candidates one look at the fleet ranks, and how many commits one request may try. */
const CANDIDATES_MAX = 8;
const TRIES_MAX = 12;

/** Places a demand, or says why not. Raises quota-exceeded, no-capacity, idempotency-mismatch, not-found, unavailable. */
export const allocate = async (runtime: Runtime, request: AllocateRequest): Promise<Allocated> => {
  const draft = draftOf(runtime, request);
  const startedMs = runtime.clock.monotonicMs();
  const { kind, constraints } = natureOf(request.tenant, request.input);
  let raced = 0;
  const refused: Refused = { ids: new Set(), lacking: [] };
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const [snapshot, slice] = await Promise.all([
      runtime.fleet.snapshot(),
      sliceFor(runtime, request.tenant, request.input.demand),
    ]);
    if (slice instanceof ProblemError) {
      await request.cleared();
      // What was placed before counts in that quota itself: `exists` is looked at first.
      const existing = await existingOf(runtime, request, draft);
      if (existing !== undefined) return existing;
      throw slice;
    }
    const placing: Placing = { request, draft, kind, slice };
    const wish = wishOf(placing, constraints, refused);
    const place = choosePlace(runtime, request, wish, raced > 0);
    if (place !== undefined) {
      const outcome = await placeOn(runtime, placing, place, refused);
      if (outcome.kind === 'done') return outcome.result;
      if (outcome.kind === 'raced') {
        raced += 1;
        await pauseAfterRace(runtime, raced);
        // Whoever won may be this very request: clients send it again when no answer comes.
        const existing = await existingOf(runtime, request, draft);
        if (existing !== undefined) return existing;
      }
      continue;
    }
    await request.cleared();
    // A refusal stands only on a picture begun after the request: what was registered or released before it counts.
    if (snapshot.at < startedMs) {
      await runtime.fleet.snapshot(0);
      refused.ids.clear();
      refused.lacking.length = 0;
      continue;
    }
    const existing = await existingOf(runtime, request, draft);
    if (existing !== undefined) return existing;
    const preempted = request.input.preempt === true ? await tryPreempt(runtime, placing) : undefined;
    if (preempted?.kind === 'done') return preempted.result;
    if (preempted !== undefined) {
      await pauseAfterRace(runtime, attempt);
      continue;
    }
    const reasons = withRefused(runtime.fleet.index.explain(wish), refused);
    if (request.input.onFull === 'refuse')
      throw noCapacity(reasons, smallestChanges(snapshot.resources, wish), refused.lacking[0]);
    const waiting = await waitForRoom(runtime, placing, reasons);
    if (waiting.kind === 'done') return waiting.result;
  }
  throw new ProblemError('unavailable', 'too many others are allocating at the same time: try again', {
    retryAfterS: 1,
  });
};

const wishOf = (
  { request, draft, kind }: Placing,
  constraints: PlacementRequest['constraints'],
  refused: Refused,
): PlacementRequest => ({
  demand: request.input.demand,
  constraints,
  purpose: 'placement',
  kind,
  ...(draft.devices === undefined ? {} : { devices: draft.devices }),
  most: CANDIDATES_MAX,
  except: refused.ids,
  hashKey: request.input.hashKey ?? request.idempotencyKey,
});

/** The strategy's choice; undefined: nothing takes the demand. */
const choosePlace = (
  runtime: Runtime,
  { input }: AllocateRequest,
  wish: PlacementRequest,
  hasRaced: boolean,
): Place | undefined => {
  const strategy = runtime.fleet.strategyFor(input.strategy, wish.constraints);
  const ranked = strategy.choose(wish, () => runtime.chance.uniform());
  // After a lost race the crowd's first choice is avoided: somebody else is about to take it again.
  const pick = hasRaced ? Math.floor(runtime.chance.uniform() * ranked.length) : 0;
  const { candidate, devices } = ranked[pick] ?? {};
  const target = runtime.fleet.seen(candidate?.id ?? '');
  return target && { target, devices };
};

/** Undefined: no set of lower groups makes room. */
const tryPreempt = async (runtime: Runtime, placing: Placing): Promise<Attempt | undefined> => {
  const outcome = await allocateByPreemption(runtime, placing);
  if (outcome.kind === 'nowhere') return undefined;
  if (outcome.kind === 'raced') return outcome;
  if (outcome.kind === 'refused') return learnFrom(runtime, placing, outcome.group, outcome.failed);
  const allocation = allocationView(outcome.allocation, outcome.group);
  return { kind: 'done', result: { kind: 'created', allocation } };
};
