import { Policy } from '../../../lib/schemas/labscape.ts';
import { seeded } from '../../crash/seeded.ts';
import { type Figure, figureOf } from '../figures.ts';
import { AGENTS_EACH, BeatingFleet, type Conditions, LABSCAPES, RESOURCES_EACH } from './beating-fleet.ts';
import type { LineKind } from './line.ts';

const BEATS_MS = [100, 1_000, 10_000] as const;
/** A lease is three beats, as the policy's default is. */
const LEASE_BEATS = 3;
/** Beats of the whole fleet in each row's watch for false verdicts, and faults in its watch for true ones. */
const BEATS = Number(process.env['BENCH_BEATS'] ?? 3_000_000);
/** The row that the aim is about is watched for longer. */
const BEATS_JUDGED = 4 * BEATS;
const FAULTS = Number(process.env['BENCH_FAULTS'] ?? 2_000);
/** Beats between two faults, so that rhythms are learnt again. */
const BETWEEN_BEATS = 30;
/** A fault that is not seen within so many beats is never seen. */
const PATIENCE_BEATS = 100;
/** DESIGN §8's aim: beats from a fault to the verdict, p99, at 5 % loss, without a false one. */
const BUDGET_BEATS = 4;
const DAY_MS = 86_400_000;
const AGENTS = LABSCAPES * AGENTS_EACH;
/** Rows that are judged: losses without a memory. */
const JUDGED_LOSS = 0.05;

interface Row {
  readonly name: string;
  readonly line: (beatMs: number) => LineKind;
  /** In beats. */
  readonly pauses?: { readonly every: number; readonly most: number };
  readonly judged: boolean;
}

const even =
  (lost: number): ((beatMs: number) => LineKind) =>
  () => ({ lost });
const ROWS: readonly Row[] = [
  { name: 'no loss', line: even(0), judged: true },
  { name: '1 % loss', line: even(0.01), judged: true },
  { name: '5 % loss', line: even(JUDGED_LOSS), judged: true },
  {
    name: '5 % loss in bursts of half a beat',
    line: (beatMs) => ({
      lost: JUDGED_LOSS,
      bursts: { badMs: beatMs / 2, lostInBad: 0.8, lostInGood: 0.01 },
    }),
    judged: false,
  },
  {
    name: '5 % loss, pauses of up to 1.5 beats',
    line: even(JUDGED_LOSS),
    pauses: { every: 1_000, most: 1.5 },
    judged: false,
  },
];

/** Time from a fault to its verdict in beats, and false verdicts per day of a fleet, in simulated time. */
export const detect = async (progress: (text: string) => void): Promise<readonly Figure[]> =>
  BEATS_MS.flatMap((beatMs) =>
    ROWS.map((row, index) => {
      progress(`detect: beats of ${beatMs} ms, ${row.name}`);
      return figure(beatMs, row, beatMs + index);
    }),
  );

const figure = (beatMs: number, row: Row, seed: number): Figure => {
  const policy = Policy.parse({ beatMs, leaseMs: LEASE_BEATS * beatMs });
  const { every, most } = row.pauses ?? {};
  const conditions: Conditions = {
    ...{ policy, line: row.line(beatMs), seed },
    ...(every === undefined || most === undefined
      ? {}
      : { pauses: { everyMs: every * beatMs, mostMs: most * beatMs } }),
  };
  const isAim = row.judged && conditions.line.lost === JUDGED_LOSS;
  const calm = watchCalm(conditions, isAim ? BEATS_JUDGED : BEATS);
  const delays = watchFaults(conditions);
  const perDay = calm.falsePositives / calm.days;
  const figured = figureOf(`beats of ${beatMs} ms, ${row.name}`, delays, { unit: 'beats' });
  return {
    ...figured,
    ...{ beatMs, leaseMs: policy.leaseMs, lossPercent: 100 * row.line(beatMs).lost },
    falsePositivesPerDay: rounded(perDay),
    ...{ days: rounded(calm.days), agents: AGENTS, resources: AGENTS * RESOURCES_EACH },
    // None seen in n days: less than 3 / n a day, with 95 % confidence ("rule of three").
    falsePositivesPerDayMax: rounded(upperBound(calm.falsePositives) / calm.days),
    leasesLostPerDay: rounded(calm.leasesLost / calm.days),
    resendsPerBeat: rounded(calm.resent / (calm.sent - calm.resent)),
    ...(row.judged
      ? { budget: BUDGET_BEATS, p99Allowed: BUDGET_BEATS, held: figured.p99 <= BUDGET_BEATS && perDay === 0 }
      : {}),
  };
};

const rounded = (value: number): number => Math.round(value * 1e4) / 1e4;

/** Upper end of the 95 % interval of a Poisson count; for more than none by its normal approximation. */
const upperBound = (count: number): number => (count === 0 ? 3 : count + 1.645 * Math.sqrt(count) + 1.5);

const watchCalm = (conditions: Conditions, beats: number) => {
  const fleet = new BeatingFleet(conditions, seeded(conditions.seed));
  const { beatMs } = conditions.policy;
  let falsePositives = 0;
  fleet.onFailed = () => {
    falsePositives += 1;
  };
  const until = (beats / AGENTS) * beatMs;
  while (fleet.now < until) fleet.step();
  return { falsePositives, days: fleet.now / DAY_MS, ...counts(fleet) };
};

const counts = ({ sent, resent, leasesLost }: BeatingFleet) => ({ sent, resent, leasesLost });

/** Beats from the death of a host to the verdict on each of its resources. */
const watchFaults = (conditions: Conditions): readonly number[] => {
  const random = seeded(conditions.seed + 1);
  const fleet = new BeatingFleet(conditions, random);
  const { beatMs } = conditions.policy;
  const delays: number[] = [];
  for (let fault = 0; fault < FAULTS; fault += 1) {
    const atMs = fleet.now + (BETWEEN_BEATS + random()) * beatMs;
    const victim = fleet.agents[fault % AGENTS];
    if (victim === undefined) throw new Error('the fleet has no agents');
    fleet.at(atMs, () => fleet.kill(victim));
    while (victim.alive) fleet.step();
    const seen = new Map<string, number>();
    fleet.onFailed = (resource, agent, verdictMs) => {
      if (agent === victim) seen.set(resource.id, verdictMs);
    };
    const latest = atMs + PATIENCE_BEATS * beatMs;
    while (seen.size < victim.resources.length && fleet.now < latest) fleet.step();
    for (const { id } of victim.resources)
      delays.push(((seen.get(id) ?? Number.POSITIVE_INFINITY) - atMs) / beatMs);
    fleet.onFailed = () => {};
    fleet.revive(victim);
  }
  return delays;
};
