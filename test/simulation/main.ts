import { understood } from '../../infra/usage.ts';
import { measure, ratioOf, study, withPairs } from './availability/availability.ts';
import { measuredText, studyText } from './availability/availability-report.ts';
import { huntAll, runSeeds } from './campaign.ts';
import { readArguments, USAGE } from './options.ts';
import { breachesText, failureText, huntProgress, mutationTable, progress, summary } from './report.ts';
import { shrinkSeed } from './shrink/shrink-seed.ts';
import { Pool } from './worker/pool.ts';
import { readableHistory } from './world/history.ts';

/** More failures are most likely the same one. */
const SHRUNK_MAX = 3;
/** From so many seeds on a run has time for the whole study of availability. */
const SEEDS_FOR_STUDY = 100;

const asked = understood(USAGE, readArguments);
if (typeof asked === 'number') process.exit(asked);
const { factor } = asked;

const say = (text: string): void => void (asked.json ? process.stderr : process.stdout).write(`${text}\n`);

/** One seed once more; true when it holds. */
const replay = async (pool: Pool, seed: number): Promise<boolean> => {
  const mutation = asked.mutation === undefined ? {} : { mutation: asked.mutation };
  const result = await pool.run({
    kind: 'seed',
    seed,
    leftOut: asked.leftOut,
    factor,
    trace: true,
    sdk: asked.sdk,
    ...mutation,
  });
  const failed = result.breaches.length > 0;
  if (asked.trace) say(result.trace.join('\n'));
  else if (failed) say(readableHistory(result).join('\n'));
  say(
    `seed ${seed}: ${result.steps} steps, ${result.struck.length} faults, trace ${result.hash.slice(0, 16)}`,
  );
  say(failed ? breachesText(result) : 'holds');
  return !failed;
};

/** Leases of three beats, as labscapes have them by default. */
const rhythm = { beatMs: asked.beatMs, leaseMs: 3 * asked.beatMs };

const availabilityOf = async (pool: Pool, full: boolean) => {
  if (!full) {
    const measured = await measure(pool, rhythm, 1, 1);
    say(measuredText(measured));
    return { availability: ratioOf(measured), breaches: measured.breaches };
  }
  const found = await study(pool, rhythm);
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
  const began = performance.now();
  const { tally, failed } = await runSeeds(pool, seeds, { factor, sdk: asked.sdk }, progress(count));
  const seconds = (performance.now() - began) / 1_000;
  // To make them smaller takes minutes: which they are is said before.
  if (failed.length > 0) say(`failed: ${failed.map(({ seed }) => seed).join(' ')}`);
  for (const one of failed.slice(0, SHRUNK_MAX)) {
    const rerun = (leftOut: string) =>
      pool.run({ kind: 'seed', seed: one.seed, factor, sdk: asked.sdk, leftOut, trace: true });
    say(failureText(one, await shrinkSeed(one, rerun)));
  }
  say(summary(tally, seconds));
  const { breaches, ...availability } = await availabilityOf(pool, count >= SEEDS_FOR_STUDY);
  const violations = tally.violations + breaches.length;
  const figures = {
    ...{ seeds: tally.seeds, steps: tally.steps, faults: tally.faults, violations, ...availability },
    ...{ seconds: Math.round(seconds), stepsPerSecond: Math.round(tally.steps / seconds) },
    ...{ capsules: tally.capsules, capsulesWhole: tally.capsulesWhole, recoveries: tally.recoveries },
    ...{ stepsPerSeed: Math.round(tally.stepsPerSeed), faultsPerSeed: Math.round(tally.faultsPerSeed) },
  };
  if (asked.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  return violations === 0 && tally.weaknesses().length === 0;
};

/** Looks for every mutation, or for one; true when each is caught. */
const mutations = async (pool: Pool): Promise<boolean> => {
  const found = await huntAll(pool, asked.mutation, huntProgress());
  if (asked.json) process.stdout.write(`${JSON.stringify({ mutations: found })}\n`);
  else say(mutationTable(found));
  return found.every(({ caught }) => caught);
};

const holdsAsAsked = async (pool: Pool): Promise<boolean> => {
  if (asked.seed !== undefined) return replay(pool, asked.seed);
  if (asked.mutations) return mutations(pool);
  if (asked.availability) return (await availabilityOf(pool, true)).breaches.length === 0;
  return campaign(pool, asked.from, asked.seeds);
};

const pool = await Pool.start(asked.workers);
try {
  if (!(await holdsAsAsked(pool))) process.exitCode = 1;
} finally {
  await pool.stop();
}
