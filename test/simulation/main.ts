import { parseArgs } from 'node:util';
import { measure, ratioOf, study, withPairs } from './availability/availability.ts';
import { measuredText, studyText } from './availability/availability-report.ts';
import { huntAll, runSeeds } from './campaign.ts';
import { breachesText, failureText, huntProgress, mutationTable, progress, summary } from './report.ts';
import { shrinkSeed } from './shrink/shrink-seed.ts';
import { Pool, WORKERS } from './worker/pool.ts';
import { readableHistory } from './world/history.ts';

/** More failures are most likely the same one. */
const SHRUNK_MAX = 3;
/** From so many seeds on a run has time for the whole study of availability. */
const SEEDS_FOR_STUDY = 100;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    factor: { type: 'string', default: '1' },
    'left-out': { type: 'string', default: '' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    availability: { type: 'boolean', default: false },
    mutations: { type: 'boolean', default: false },
    sdk: { type: 'boolean', default: false },
    mutation: { type: 'string' },
    workers: { type: 'string', default: String(WORKERS) },
  },
});

const whole = (name: string, text: string, least: number): number => {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least)
    throw new RangeError(`--${name} takes a whole number from ${least} on`);
  return Number(text);
};

const say = (text: string): void => void (values.json ? process.stderr : process.stdout).write(`${text}\n`);

/** One seed once more; true when it holds. */
const replay = async (pool: Pool, seed: number): Promise<boolean> => {
  const mutation = values.mutation === undefined ? {} : { mutation: values.mutation };
  const result = await pool.run({
    kind: 'seed',
    seed,
    leftOut: values['left-out'],
    factor: whole('factor', values.factor, 1),
    trace: true,
    sdk: values.sdk,
    ...mutation,
  });
  const failed = result.breaches.length > 0;
  if (values.trace) say(result.trace.join('\n'));
  else if (failed) say(readableHistory(result).join('\n'));
  say(
    `seed ${seed}: ${result.steps} steps, ${result.struck.length} faults, trace ${result.hash.slice(0, 16)}`,
  );
  say(failed ? breachesText(result) : 'holds');
  return !failed;
};

const availabilityOf = async (pool: Pool, full: boolean) => {
  if (!full) {
    const measured = await measure(pool, 1, 1);
    say(measuredText(measured));
    return { availability: ratioOf(measured), breaches: measured.breaches };
  }
  const found = await study(pool);
  say(studyText(found));
  const [standard] = found.measured;
  return {
    availability: standard === undefined ? 1 : ratioOf(standard),
    availabilityDerived: found.derived[0]?.availability,
    availabilityAt: Object.fromEntries(
      found.measured.map((one, index) => [
        one.factor,
        { measured: ratioOf(one), derived: found.derived[index]?.availability },
      ]),
    ),
    availabilityWithPairs: withPairs(found),
    outageP50Ms: found.outageP50Ms,
    breaches: found.breaches,
  };
};

/** Many seeds; true when all hold and the run was one that says something. */
const campaign = async (pool: Pool, from: number, count: number): Promise<boolean> => {
  const seeds = Array.from({ length: count }, (_, index) => from + index);
  const factor = whole('factor', values.factor, 1);
  const began = performance.now();
  const { tally, failed } = await runSeeds(pool, seeds, { factor, sdk: values.sdk }, progress(count));
  const seconds = (performance.now() - began) / 1_000;
  for (const one of failed.slice(0, SHRUNK_MAX)) {
    const rerun = (leftOut: string) =>
      pool.run({ kind: 'seed', seed: one.seed, factor, sdk: values.sdk, leftOut, trace: true });
    say(failureText(one, await shrinkSeed(one, rerun)));
  }
  if (failed.length > 0) say(`failed: ${failed.map(({ seed }) => seed).join(' ')}`);
  say(summary(tally, seconds));
  const { breaches, ...availability } = await availabilityOf(pool, count >= SEEDS_FOR_STUDY);
  const violations = tally.violations + breaches.length;
  const figures = {
    ...{ seeds: tally.seeds, steps: tally.steps, faults: tally.faults, violations, ...availability },
    ...{ seconds: Math.round(seconds), stepsPerSecond: Math.round(tally.steps / seconds) },
    ...{ capsules: tally.capsules, capsulesWhole: tally.capsulesWhole, recoveries: tally.recoveries },
    ...{ stepsPerSeed: Math.round(tally.stepsPerSeed), faultsPerSeed: Math.round(tally.faultsPerSeed) },
  };
  if (values.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  return violations === 0 && tally.weaknesses().length === 0;
};

/** Looks for every mutation, or for one; true when each is caught. */
const mutations = async (pool: Pool): Promise<boolean> => {
  const found = await huntAll(pool, values.mutation, huntProgress());
  if (values.json) process.stdout.write(`${JSON.stringify({ mutations: found })}\n`);
  else say(mutationTable(found));
  return found.every(({ caught }) => caught);
};

const holdsAsAsked = async (pool: Pool): Promise<boolean> => {
  if (values.seed !== undefined) return replay(pool, whole('seed', values.seed, 0));
  if (values.mutations) return mutations(pool);
  if (values.availability) return (await availabilityOf(pool, true)).breaches.length === 0;
  return campaign(pool, whole('from', values.from, 0), whole('seeds', values.seeds, 1));
};

const pool = await Pool.start(whole('workers', values.workers, 1));
try {
  if (!(await holdsAsAsked(pool))) process.exitCode = 1;
} finally {
  await pool.stop();
}
