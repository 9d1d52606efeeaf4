import { randomBytes } from 'node:crypto';
import { ApiProblem } from '../../../lib/client/api-error.ts';
import type { Client } from '../../../lib/client/client.ts';
import type { FleetPlan } from '../sample/fleet-plan.ts';
import { ApiFleet, clientOf } from './api-fleet.ts';
import { drillName, isOf, planApiDrill } from './api-plan.ts';
import { asDrillError } from './api-refusal.ts';
import type { ApiTarget } from './api-target.ts';
import { checkLimits } from './check-limits.ts';
import { chooseVictim } from './choose-victim.ts';
import { type CleanedUp, cleanUp } from './clean-up.ts';
import { DrillError } from './drill-error.ts';
import type { DrillRun } from './drill-run.ts';
import { follow } from './follow.ts';
import { type Evidence, judge } from './judge.ts';
import { API_SIZE, checkSize, type DrillSize } from './options.ts';
import { type Progress, SILENT } from './progress.ts';
import { readBackAfter, untilLive } from './rehearsal.ts';
import type { Scope } from './scope.ts';
import { type Allocated, allocateAll, type Clients } from './setup.ts';

export interface ApiDrillOptions extends Partial<DrillSize> {
  readonly api: ApiTarget;
  /** Balances the drill's labscape afterwards, and judges that as well. */
  readonly rebalance?: boolean;
  readonly progress?: Progress;
  readonly signal?: AbortSignal;
  /** Hears what is left behind by a drill that did not come to its end. */
  readonly tellLeft?: (left: readonly string[]) => void;
}

const START_MS_MAX = 120_000;
/** The recovery's own waits, cold functions, and room for a slow network. */
const RECOVERY_MS_MAX = 120_000;
const RETURN_MS_MAX = 30_000;

interface Stage {
  readonly api: ApiTarget;
  readonly fleet: ApiFleet;
  readonly clients: Clients;
  readonly plan: FleetPlan;
  readonly size: DrillSize;
  readonly rebalances: boolean;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly startedAt: number;
}

/**
 * Rehearses a failover on a control plane that others run, over its HTTP API only, in a labscape and a tenant made for
 * it: registers, allocates, runs the real agents here, cuts one of them off, follows the recovery, judges by what the
 * API and the counters' files say, and cleans up, whatever happened. Throws DrillError when it gets stuck on the way.
 */
export async function runApiDrill(options: ApiDrillOptions): Promise<DrillRun> {
  const { api, progress = SILENT, signal = new AbortController().signal, tellLeft, ...asked } = options;
  const { rebalance: rebalances = false, ...given } = asked;
  const size = { ...API_SIZE, ...given };
  checkSize(size);
  const name = drillName(randomBytes(4).toString('hex'));
  const scope = { labscape: name, tenant: name, isOf: isOf(name) };
  const operator = clientOf(api);
  const plan = planApiDrill(size, name);
  try {
    progress.stage(`${api.url} is asked`);
    const startedAt = await ask(operator, name);
    progress.stage(`${name} is made`);
    await join(operator, plan, tellLeft);
    const clients = { operator, tenant: operator, scope };
    const cast = { api, clients, plan, size, rebalances, progress, signal, startedAt };
    const { evidence, cleaned } = await onStage(cast, scope, tellLeft);
    const run = judge(evidence);
    return { ...run, left: cleaned.left, faults: [...run.faults, ...cleaned.faults] };
  } catch (error) {
    throw asDrillError(error);
  } finally {
    progress.end();
  }
}

/** Whether it is there, takes the token, and knows nothing of this name; its clock, epoch ms. */
async function ask(client: Client, name: string): Promise<number> {
  await client.call('getHealth');
  const { at } = await client.call('getStatus');
  try {
    await client.call('getTenant', { params: { tenant: name } });
  } catch (error) {
    if (error instanceof ApiProblem && error.code === 'not-found') return at;
    throw error;
  }
  throw new DrillError(`there is a tenant ${name} already: try again, for another name`);
}

/** Joins the labscape. Where that is refused, nothing has been made and nothing is cleaned up: it may be another's. */
async function join(
  client: Client,
  { labscapes }: FleetPlan,
  tellLeft: ApiDrillOptions['tellLeft'],
): Promise<void> {
  for (const body of labscapes) {
    await client.call('joinLabscape', { body }).catch((error: unknown) => {
      const refused = error instanceof ApiProblem && error.status < 500;
      if (!refused) tellLeft?.([`labscape ${body.id}, empty, if the call arrived whose answer did not`]);
      throw error;
    });
  }
}

/** From the moment on that there is something to clean up: it is cleaned up, also when the drill is interrupted. */
async function onStage(
  cast: Omit<Stage, 'fleet'>,
  scope: Required<Scope>,
  tellLeft: ApiDrillOptions['tellLeft'],
): Promise<{ evidence: Evidence; cleaned: CleanedUp }> {
  const { api, clients, plan, progress } = cast;
  const fleet = new ApiFleet(api, plan);
  const clean = async (): Promise<CleanedUp> => {
    progress.stage('what was made is released and retired');
    // An agent that is cut off stays so: a recovery that wants it back orders it to be restored.
    const cleaned = await cleanUp(clients.operator, plan, scope);
    await fleet.stop();
    return cleaned;
  };
  let evidence: Evidence;
  try {
    evidence = await rehearse({ ...cast, fleet });
  } catch (error) {
    const { left } = await clean();
    progress.end();
    tellLeft?.(left);
    throw error;
  }
  return { evidence, cleaned: await clean() };
}

async function rehearse(stage: Stage): Promise<Evidence> {
  const { api, fleet, clients, plan, size, rebalances, progress, signal } = stage;
  const rehearsal = { ...stage, allocated: await makeAll(stage) };
  progress.stage(`${plan.resources.length} agents start all work`);
  fleet.start();
  const before = await untilLive(rehearsal, START_MS_MAX);
  const victim = chooseVictim(before.allocations, size);
  refuseForeign(checkLimits(rehearsal.allocated.ledger, before.allocations, before.resources));
  progress.stage(`agent of ${victim} is cut off, recovery runs`);
  const killedAt = Date.now();
  fleet.cut(victim);
  const leaseEndsAt = fleet.heardBeatAt(victim) + size.leaseMs;
  const moved = new Set(before.allocations.filter(({ resource }) => resource === victim).map(({ id }) => id));
  const { recovery, ...times } = await follow(clients, { victim, moved }, RECOVERY_MS_MAX, signal);
  const returning = { returnMsMax: RETURN_MS_MAX, rebalances };
  const readBack = await readBackAfter(rehearsal, victim, recovery, returning);
  const outside = { api: api.url, leaseEndsAt, ...times };
  return { ...readBack, trigger: 'detector', killedAt, before, outside };
}

async function makeAll({ clients, plan, progress, signal }: Stage): Promise<Allocated> {
  const count = plan.allocations.length;
  progress.stage(`${count} allocations are made`);
  const { operator } = clients;
  // Nothing that is there already is taken over: it would be somebody else's.
  for (const body of plan.resources) await operator.call('registerResource', { body });
  const { id: tenant, quota, slices } = plan.tenant;
  await operator.call('putTenant', { params: { tenant }, body: { quota, slices } });
  return allocateAll(clients.tenant, plan, (done) => progress.count(done, count), signal);
}

/** Only what is the drill's own may fail with the victim. Throws DrillError. */
function refuseForeign(faults: readonly string[]): void {
  const [first] = faults;
  if (first === undefined) return;
  throw new DrillError(
    `nothing was made to fail, since somebody else's work may be on the drill's resources: ${first}`,
  );
}
