import type { Caught } from './mutations/mutations.ts';
import type { SeedResult } from './run-seed.ts';
import type { Shrunk } from './shrink/shrink-seed.ts';
import type { Tally } from './tally.ts';
import { FAULT_KINDS } from './world/faults.ts';
import { readableHistory } from './world/history.ts';

const firstLine = (text: string): string => text.split('\n')[0] ?? '';

const replayOf = (seed: number, leftOut: string): string =>
  `npm run sim -- --seed ${seed} --trace${leftOut === '' ? '' : ` --left-out ${leftOut}`}`;

export const breachesText = ({ breaches }: Pick<SeedResult, 'breaches'>): string =>
  breaches.map(({ invariant, what }) => `invariant ${invariant}: ${what}`).join('\n');

/** A failure as a person reads it. */
export const failureText = (failed: SeedResult, { result, leftOut, tries }: Shrunk): string => {
  const entry = JSON.stringify({
    seed: failed.seed,
    leftOut,
    why: firstLine(result.breaches[0]?.what ?? ''),
  });
  const kept = result.struck.map(({ ordinal, kind }) => `${kind} (${ordinal})`).join(', ');
  return [
    `seed ${failed.seed} breaks ${firstLine(breachesText(failed))}`,
    `of its ${failed.struck.length} faults ${result.struck.length} suffice (${tries} tries): ${kept || 'none'}`,
    '',
    ...readableHistory(result),
    '',
    `all of it:  ${replayOf(failed.seed, leftOut)}`,
    `unshrunk:   ${replayOf(failed.seed, '')}`,
    `for test/simulation/corpus.json:  ${entry}`,
    '',
  ].join('\n');
};

const faultTable = (tally: Tally): string =>
  FAULT_KINDS.map((kind) => `  ${kind.padEnd(20)} ${String(tally.faults[kind]).padStart(8)}`).join('\n');

export const summary = (tally: Tally, seconds: number): string =>
  [
    faultTable(tally),
    '',
    `${tally.seeds} seeds, ${tally.steps} steps (${tally.stepsPerSeed.toFixed(0)} a seed), ${tally.faultsPerSeed.toFixed(1)} faults a seed,`,
    `${tally.capsules} capsules of ${tally.recoveries} recoveries replay identically, ${tally.capsulesWhole} with nothing missing,`,
    `${tally.violations} violations; ${seconds.toFixed(1)} s, ${(tally.steps / seconds).toFixed(0)} steps/s`,
    ...tally.weaknesses().map((weakness) => `too weak: ${weakness}`),
  ].join('\n');

const fate = ({ name, invariant, caught, seeds }: Caught): string =>
  `${name.padEnd(44)} invariant ${String(invariant).padStart(2)}  ${caught ? `caught by seed ${seeds}` : `NOT CAUGHT in ${seeds} seeds`}`;

export const mutationTable = (found: readonly Caught[]): string =>
  found.map((one) => `  ${fate(one)}`).join('\n');

/** A line for each, as it is found: the hunt for all takes many minutes. */
export const huntProgress = (): ((found: Caught, of: number) => void) => {
  let done = 0;
  return (found, of) => {
    done += 1;
    process.stderr.write(`${done}/${of} ${fate(found)}\n`);
  };
};

/** On a terminal one line that changes; elsewhere a line now and then. */
export const progress = (total: number): ((done: number, violations: number) => void) => {
  const every = Math.max(1, Math.floor(total / 10));
  const { stderr } = process;
  return (done, violations) => {
    const text = `${done}/${total} seeds, ${violations} violations`;
    if (stderr.isTTY) stderr.write(`\r${text}${done === total ? '\n' : ''}`);
    else if (done % every === 0 || done === total) stderr.write(`${text}\n`);
  };
};
