import { classOfKind } from '../../allocation/groups.ts';
import { ProblemError } from '../../errors.ts';
import { urgencyOf } from '../../failover/joint-turn.ts';
import { FAILED_AT_ONCE_MAX, type FailedTogether, type FailTogetherInput } from '../../schemas/recovery.ts';
import { type ResourceRecord, readResource, resourcesOf } from '../../store/fleet/resources.ts';
import { readGroups } from '../../store/placement/groups.ts';
import { readBriefs, writeBriefs } from '../../store/recovery/recovery-briefs.ts';
import type { Requester } from '../origin.ts';
import { changeStatus } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { briefsOf } from './joint-briefs.ts';
import { inLanes } from './lanes.ts';
import { planMovesTogether } from './plan-moves.ts';
import { asSource, type Held } from './quote.ts';
import { inputFor, start, startedAs } from './recovery-start.ts';
import { refuseIfOff } from './switched-off.ts';

/** Verdicts written, and executions started, at a time. */
const LANES = 16;
/** After that, what is left over is told: well within what the API lets a call take, ms. */
const WORK_MS_MAX = 15_000;
/** The most urgent groups of all that one joint plan covers: the others are planned each with its own resource. */
const JOINT_GROUPS_MAX = 4_000;
/** A plan this old is made anew, ms. */
const PLAN_AGE_MAX_MS = 60_000;

type Started = FailedTogether['recoveries'][number];
type Outcome =
  | { readonly kind: 'failed'; readonly resource: ResourceRecord }
  | { readonly kind: 'started' | 'adopted'; readonly recovery: Started }
  | { readonly kind: 'skipped'; readonly resource: string; readonly why: string }
  | { readonly kind: 'left' };

const isInService = ({ status }: ResourceRecord): boolean =>
  status === 'healthy' || status === 'suspect' || status === 'failed';

const classesOf = ({ groups }: ResourceRecord) => groups.map(({ kind }) => classOfKind(kind));

const byUrgency = (a: ResourceRecord, b: ResourceRecord): number =>
  urgencyOf(classesOf(a)) - urgencyOf(classesOf(b)) || (a.id < b.id ? -1 : 1);

/** As it stands: owned by a recovery, to be declared failed, or of no concern. */
const outlook = (resource: ResourceRecord): Outcome => {
  const { id, recovery, status } = resource;
  if (recovery !== undefined) return { kind: 'adopted', recovery: { recovery, resource: id } };
  if (isInService(resource)) return { kind: 'failed', resource };
  return { kind: 'skipped', resource: id, why: `is ${status}` };
};

/** Declares it failed, unless somebody did, or owns it by now. */
const declare = async (
  runtime: Runtime,
  seen: ResourceRecord,
  reason: string,
  requester: Requester,
): Promise<Outcome> => {
  if (seen.status === 'failed') return { kind: 'failed', resource: seen };
  const change = { type: 'resource.failed', to: 'failed', reason, failedBy: 'api', unlocked: true } as const;
  try {
    return { kind: 'failed', resource: await changeStatus(runtime, seen.id, change, requester) };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const now = await readResource(runtime.store, seen.labscape, seen.id);
    const outcome = now === undefined ? undefined : outlook(now);
    if (outcome !== undefined && (outcome.kind !== 'failed' || outcome.resource.status === 'failed'))
      return outcome;
    return { kind: 'skipped', resource: seen.id, why: error.message };
  }
};

/** An execution that has written nothing by then is dead, ms. */
const DEAD_AFTER_MS = 30_000;

/** Started, or run already by that name: one that died before it wrote anything is started anew, here or by the sweep. */
const begin = async (runtime: Runtime, resource: ResourceRecord): Promise<Outcome> => {
  const input = inputFor(resource, 'api');
  if (runtime.clock.now() - resource.since > DEAD_AFTER_MS)
    return { kind: 'started', recovery: await start(runtime, input) };
  const kind = (await runtime.executions.start(input)) === 'started' ? 'started' : 'adopted';
  return { kind, recovery: startedAs(input) };
};

/** The groups that these resources own, the resources as they were read. */
const holdings = async (runtime: Runtime, failed: readonly ResourceRecord[]): Promise<readonly Held[]> => {
  let room = JOINT_GROUPS_MAX;
  const covered = failed.filter(({ groups }) => {
    room -= groups.length;
    return room >= 0;
  });
  const refs = covered.flatMap(({ groups }) => groups.map(({ group }) => group));
  const groups = (await readGroups(runtime.store, refs)).filter(({ status }) => status === 'placed');
  const byOwner = Map.groupBy(groups, ({ resource }) => resource);
  return covered.map((resource) => ({ resource, groups: byOwner.get(resource.id) ?? [] }));
};

/**
 * One plan for all of them, left for each recovery as advice; its id. A call that goes on where another one stopped
 * keeps that one's plan. Undefined when there is nothing to plan together.
 */
const planTogether = async (
  runtime: Runtime,
  failed: readonly ResourceRecord[],
): Promise<string | undefined> => {
  const holding = failed.filter(({ groups }) => groups.length > 0);
  if (holding.length < 2) return undefined;
  const at = runtime.clock.now();
  const known = await readBriefs(
    runtime.store,
    holding.map(({ id }) => id),
  );
  const standing = new Set(
    holding.map(({ id, epoch }) => {
      const brief = known.get(id);
      const isFresh = brief?.epoch === epoch && Math.abs(at - brief.at) < PLAN_AGE_MAX_MS;
      return isFresh ? brief.joint?.id : undefined;
    }),
  );
  const [one] = standing;
  if (standing.size === 1 && one !== undefined) return one;
  const [held, { resources }] = await Promise.all([holdings(runtime, holding), runtime.fleet.snapshot(0)]);
  const plan = planMovesTogether(held.map(asSource), resources, at);
  const id = runtime.chance.id();
  await writeBriefs(runtime.store, briefsOf(held, plan, id, at));
  return id;
};

/** The resources of the labscapes that are meant, and those that are named and are none of them. */
const meant = async (
  runtime: Runtime,
  labscapes: ReadonlySet<string>,
  named: readonly string[] | undefined,
): Promise<{ readonly resources: readonly ResourceRecord[]; readonly strangers: readonly string[] }> => {
  for (const labscape of labscapes) {
    if ((await runtime.fleet.labscape(labscape)) === undefined)
      throw new ProblemError('not-found', `no labscape ${labscape} has joined`);
    await refuseIfOff(runtime, labscape);
  }
  const own = (
    await Promise.all([...labscapes].map((labscape) => resourcesOf(runtime.store, labscape, true)))
  ).flat();
  if (named === undefined)
    return { resources: own.filter(({ status }) => status !== 'retired'), strangers: [] };
  const wanted = new Set(named);
  const ids = new Set(own.map(({ id }) => id));
  return {
    resources: own.filter(({ id }) => wanted.has(id)),
    strangers: [...wanted].filter((id) => !ids.has(id)),
  };
};

/**
 * A person's verdict on several resources of one or several labscapes, or on all that are in service there. All are
 * declared failed before the first recovery starts, so that none is a target of another, and so are those that hold
 * nothing: a labscape that is lost takes no work. Recoveries that run are adopted. A repeat changes nothing that was
 * done, and goes on with what was left. Raises not-found, not-in-this-state.
 */
export const failTogether = async (
  runtime: Runtime,
  labscape: string,
  { reason, resources: named, besides = [] }: FailTogetherInput,
  requester: Requester,
): Promise<FailedTogether> => {
  const untilMs = runtime.clock.monotonicMs() + WORK_MS_MAX;
  const inTime = (): boolean => runtime.clock.monotonicMs() < untilMs;
  const labscapes = new Set([labscape, ...besides]);
  const { resources, strangers } = await meant(runtime, labscapes, named);
  const outlooks = [...resources].sort(byUrgency).map(outlook);
  const candidates = outlooks.flatMap((one) => (one.kind === 'failed' ? [one.resource] : []));
  const taken = candidates.slice(0, FAILED_AT_ONCE_MAX);
  const declared = await inLanes(
    taken,
    LANES,
    (resource): Promise<Outcome> =>
      inTime() ? declare(runtime, resource, reason, requester) : Promise.resolve({ kind: 'left' }),
  );
  const failed = declared.flatMap((one) => (one.kind === 'failed' ? [one.resource] : []));
  // Only what is known to be lost is planned around: with some undeclared yet, the next call plans.
  const whole = failed.length > 0 && declared.every(({ kind }) => kind !== 'left');
  const joint = whole ? await planTogether(runtime, failed) : undefined;
  const begun = await inLanes(
    failed,
    LANES,
    (resource): Promise<Outcome> =>
      whole && inTime() ? begin(runtime, resource) : Promise.resolve({ kind: 'left' }),
  );
  const all = [
    ...outlooks.filter(({ kind }) => kind !== 'failed'),
    ...declared.filter(({ kind }) => kind !== 'failed'),
    ...begun,
  ];
  const recoveriesOf = (kind: 'started' | 'adopted'): Started[] =>
    all.flatMap((one) => (one.kind === kind ? [one.recovery] : []));
  return {
    ...(joint === undefined ? {} : { joint }),
    recoveries: recoveriesOf('started'),
    adopted: recoveriesOf('adopted'),
    skipped: [
      ...all.flatMap((one) => (one.kind === 'skipped' ? [{ resource: one.resource, why: one.why }] : [])),
      ...strangers.map((resource) => ({ resource, why: `is none of labscape ${[...labscapes].join(', ')}` })),
    ],
    left: all.filter(({ kind }) => kind === 'left').length + candidates.length - taken.length,
  };
};
