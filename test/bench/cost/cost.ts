import { setTimeout as sleep } from 'node:timers/promises';
import type { Assignments } from '../../../lib/schemas/assignment.ts';
import type { HeartbeatAnswer } from '../../../lib/schemas/heartbeat.ts';
import type { Figure } from '../figures.ts';
import { Plane } from './plane.ts';
import { added, bill, NOTHING, PRICES, sumOf, type Usage } from './prices.ts';

const LABSCAPES = 10;
const RESOURCES_EACH = 100;
const BEAT_MS = 10_000;
/** Rounds of beats that are not counted, and that are; a sweep each minute. */
const WARM_ROUNDS = 4;
const ROUNDS = 12;
const SWEEP_MS = 60_000;
const MONTH_MS = 30 * 86_400_000;
/** DESIGN §8's aim for 1,000 resources that beat every ten seconds. */
const AIM = 15;
const ALLOCATIONS = 400;
const WARM_ALLOCATIONS = 50;
/** Allocations come this often, ms: a function reads the fleet anew once a second. */
const ALLOCATE_EVERY_MS = 100;
const MILLION = 1_000_000;
const GROUPS = 8;
const RECOVERY_LAB = 'recovered';
const RECOVERY_RESOURCES = 5;
const RECOVERY_WAIT_MS = 60_000;
const TENANT = 'bench';
/** The authoriser's decision is kept for so long by token and route; each costs so much of a 512 MiB function. */
const AUTHORISE_EVERY_MS = 30_000;
const AUTHORISE_S = 0.01;
/** Seconds of one long poll: a function waits with it. */
const POLL_S = 20;

/** What AWS would bill for counted requests of the shipped handlers on the real engine, at a dated price table. */
export const cost = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const plane = await Plane.start();
  try {
    progress('cost: fleet');
    await setUp(plane);
    progress('cost: beats');
    const beats = await beating(plane);
    progress('cost: allocations');
    const allocations = await allocating(plane);
    progress('cost: a recovery');
    const recovery = await recovering(plane);
    return [
      monthly(plane, beats),
      figure(
        `a million allocations, ${1_000 / ALLOCATE_EVERY_MS} a second`,
        allocations,
        MILLION,
        ALLOCATIONS,
      ),
      figure(`a recovery of ${GROUPS} groups`, recovery, 1, 1),
      longPolls(),
    ];
  } finally {
    await plane.stop();
  }
};

const even = (each: number) => ({ processing: each, memory: each, storage: each, network: each });
const labscapeIds = Array.from({ length: LABSCAPES }, (_, index) => `site-${index}`);
const resourceIds = (labscape: string): readonly string[] =>
  Array.from({ length: RESOURCES_EACH }, (_, index) => `${labscape}-host-${index}`);

const setUp = async (plane: Plane): Promise<void> => {
  const register = (id: string, labscape: string, labels: object = {}): Promise<unknown> =>
    plane.call('registerResource', { body: { id, labscape, capacity: even(100_000), labels } });
  const policy = { mode: 'automatic', beatMs: BEAT_MS, leaseMs: 3 * BEAT_MS, resumeWaitMs: 5_000 };
  for (const id of labscapeIds) {
    await plane.call('joinLabscape', { body: { id, policy } });
    for (const resource of resourceIds(id)) await register(resource, id);
  }
  await plane.call('joinLabscape', {
    body: { id: RECOVERY_LAB, policy: { ...policy, fencing: 'immediate', breakerShare: 1 } },
  });
  for (let index = 0; index < RECOVERY_RESOURCES; index += 1)
    await register(`spare-${index}`, RECOVERY_LAB, { role: 'recovered' });
  await plane.call('putTenant', {
    params: { tenant: TENANT },
    body: { quota: even(1_000_000_000), slices: 8 },
  });
};

/** Counted rounds of beats, and sweeps, one minute apart. Each labscape's agent speaks for all its resources. */
const beating = async (plane: Plane): Promise<{ readonly beats: Usage; readonly sweeps: Usage }> => {
  const revisions = new Map<string, number>();
  let beats = NOTHING;
  let sweeps = NOTHING;
  let sweptMs = 0;
  for (let round = 0; round < WARM_ROUNDS + ROUNDS; round += 1) {
    for (const [index, labscape] of labscapeIds.entries()) {
      await beat(plane, labscape, revisions, round * 1_000 + index + 1);
      plane.advance(BEAT_MS / LABSCAPES);
    }
    const used = plane.take();
    if (round >= WARM_ROUNDS) beats = added(beats, used);
    sweptMs += BEAT_MS;
    if (sweptMs < SWEEP_MS) continue;
    sweptMs = 0;
    await plane.invoke('sweep', {});
    sweeps = plane.take();
  }
  return { beats, sweeps };
};

const beat = async (
  plane: Plane,
  labscape: string,
  revisions: Map<string, number>,
  seq: number,
): Promise<void> => {
  const resources = resourceIds(labscape).map((resource) => ({
    ...{ resource, status: 'ok', epoch: 1, assignmentRevision: revisions.get(resource) ?? 0, errors: 0 },
    latencyMs: 10 + 5 * Math.random(),
    load: even(1_000),
  }));
  const body = { agent: `${labscape}-agent`, seq, resources };
  const answer = (await plane.call('beat', {
    params: { labscape },
    body,
    agentOf: labscape,
  })) as HeartbeatAnswer;
  for (const { resource, assignmentRevision } of answer.resources)
    revisions.set(resource, assignmentRevision);
};

const allocating = async (plane: Plane): Promise<Usage> => {
  for (let index = 0; index < WARM_ALLOCATIONS + ALLOCATIONS; index += 1) {
    if (index === WARM_ALLOCATIONS) plane.take();
    await allocate(plane, `allocation-${index}`);
    plane.advance(ALLOCATE_EVERY_MS);
  }
  return plane.take();
};

const allocate = (plane: Plane, key: string, constraints: object = {}, each = 100): Promise<unknown> =>
  plane.call('allocate', {
    body: { tenant: TENANT, demand: even(each), constraints },
    headers: { 'idempotency-key': key },
  });

/** A host with eight groups fails; its labscape answers, and the new owners fetch their lists and report. */
const recovering = async (plane: Plane): Promise<Usage> => {
  const constraints = { labels: { role: 'recovered' } };
  // A demand above the closing bound of a group is a group of its own.
  for (let index = 0; index < GROUPS; index += 1) await allocate(plane, `group-${index}`, constraints, 4_500);
  const resource = await fullest(plane);
  plane.take();
  const started = (await plane.call('failResource', {
    params: { resource },
    body: { reason: 'bench' },
  })) as { recovery: string };
  await until(async () => (await plane.recovery(started.recovery))?.waiting !== undefined, plane);
  const { epoch } = (await plane.call('getResource', { params: { resource } })) as { epoch: number };
  const restore = { recovery: started.recovery, outcome: 'restored' };
  await plane.call('report', {
    params: { resource },
    body: { agent: 'bench', epoch, restore },
    agentOf: RECOVERY_LAB,
  });
  const { moves = [] } = (await plane.recovery(started.recovery)) ?? {};
  for (const to of new Set(moves.map((move) => move.to))) await takeOver(plane, to);
  await until(async () => !plane.recovering, plane);
  const { status } = (await plane.recovery(started.recovery)) ?? {};
  const used = plane.take();
  if (status !== 'done') throw new Error(`the recovery ended ${status}`);
  // Execution's start, its first state and its last.
  return { ...used, transitions: used.transitions + 2 };
};

const fullest = async (plane: Plane): Promise<string> => {
  const list = (await plane.call('listResources', { query: { labscape: RECOVERY_LAB } })) as {
    items: { id: string; groups: number }[];
  };
  const [most] = [...list.items].sort((a, b) => b.groups - a.groups);
  if (most === undefined) throw new Error('there are no resources');
  return most.id;
};

const takeOver = async (plane: Plane, resource: string): Promise<void> => {
  const params = { resource };
  const list = (await plane.call('getAssignments', { params, agentOf: RECOVERY_LAB })) as Assignments;
  const counts = Map.groupBy(list.items, ({ group }) => group);
  const groups = [...counts].map(([group, items]) => ({
    ...{ group, epoch: items[0]?.groupEpoch ?? 0, running: items.length },
  }));
  await plane.call('report', {
    params,
    body: { agent: 'bench', epoch: list.epoch, groups },
    agentOf: RECOVERY_LAB,
  });
};

const until = async (done: () => Promise<boolean>, plane: Plane): Promise<void> => {
  const startedMs = performance.now();
  while (!(await done())) {
    if (performance.now() - startedMs > RECOVERY_WAIT_MS)
      throw new Error(`the recovery did not get on, ${plane.recovering ? 'and runs' : 'and has ended'}`);
    await sleep(20);
  }
};

const rounded = (dollars: number): number => Math.round(dollars * 1e6) / 1e6;
const breakdown = (dollars: Readonly<Record<string, number>>): object =>
  Object.fromEntries(Object.entries(dollars).map(([what, each]) => [what, rounded(each)]));

const dollarFigure = (name: string, dollars: Readonly<Record<string, number>>, extra: object): Figure => {
  const total = rounded(sumOf(dollars));
  const { asOf, region } = PRICES;
  return {
    name,
    unit: '$',
    n: 1,
    p50: total,
    p99: total,
    prices: `${region}, ${asOf}`,
    ...extra,
    breakdown: breakdown(dollars),
  };
};

const figure = (name: string, used: Usage, times: number, of: number): Figure => {
  const perUnit = added(NOTHING, used, 1 / of);
  const units = { writeUnits: rounded(perUnit.writeUnits), readUnits: rounded(perUnit.readUnits) };
  return dollarFigure(name, bill(added(NOTHING, perUnit, times)), {
    ...{ per: 'one', ...units, invocations: perUnit.invocations, transitions: perUnit.transitions },
  });
};

/** Beats, sweeps, the authoriser, and what a stage costs that does nothing. */
const monthly = (plane: Plane, { beats, sweeps }: { beats: Usage; sweeps: Usage }): Figure => {
  const rounds = MONTH_MS / BEAT_MS;
  const authorisations = LABSCAPES * (MONTH_MS / AUTHORISE_EVERY_MS);
  const used = [
    added(NOTHING, beats, rounds / ROUNDS),
    added(NOTHING, sweeps, MONTH_MS / SWEEP_MS),
    { ...NOTHING, invocations: authorisations, gigabyteSeconds: authorisations * AUTHORISE_S * 0.5 },
  ];
  const total = used.reduce((sum, each) => added(sum, each), NOTHING);
  const perBeat = added(NOTHING, beats, 1 / (ROUNDS * LABSCAPES));
  const dollars = bill(total);
  const fixed = fixedCosts(plane);
  return {
    ...dollarFigure(`a month of ${LABSCAPES * RESOURCES_EACH} resources at ${BEAT_MS / 1_000} s`, dollars, {
      ...{ budget: AIM, p99Allowed: AIM, held: sumOf(dollars) <= AIM },
      ...{ labscapes: LABSCAPES, agentsEach: 1, longPolls: 'off' },
      perBatch: {
        ...{ writeUnits: rounded(perBeat.writeUnits), readUnits: rounded(perBeat.readUnits) },
        ...{
          ms: Math.round((perBeat.gigabyteSeconds / 0.5) * 1_000),
          answerBytes: Math.round(perBeat.outBytes),
        },
        logBytes: Math.round(perBeat.logBytes),
      },
      sweepReadUnits: sweeps.readUnits,
      fixedBesides: { total: rounded(sumOf(fixed)), ...breakdown(fixed) },
    }),
  };
};

/** By the month, whatever is done: alarms and metrics of the stage, and its keys. */
const fixedCosts = ({ template, metrics }: Plane): Readonly<Record<string, number>> => ({
  alarms: template.alarms.length * PRICES.alarmMonth,
  metrics: metrics.size * PRICES.metricMonth,
  keys: (1 + template.signingKeys.length) * PRICES.keyMonth,
});

/** What the same fleet would pay if every agent also kept a long poll open for each resource, as its default is. */
const longPolls = (): Figure => {
  const polls = (LABSCAPES * RESOURCES_EACH * MONTH_MS) / (POLL_S * 1_000);
  const used = { ...NOTHING, apiRequests: polls, invocations: polls, gigabyteSeconds: polls * POLL_S * 0.5 };
  return dollarFigure('besides, if all agents long-poll (longPollS 20)', bill(used), { derived: true });
};
