import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseOptions, understood, wholeNumber } from '../../infra/usage.ts';
import { freePort, KilledHost } from './killed-host.ts';
import { type KillOutcome, Ordeal } from './ordeal.ts';
import { seeded } from './seeded.ts';

const USAGE = `npm run crash [-- --kills N --seed N --json]

Kills the local host in the middle of recoveries, N times (100). Exit codes: 0 nothing lost, 1 something was, 2 not
understood.`;

const asked = understood(USAGE, (argv) => {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const options = { kills: text('100'), seed: text('1'), json: { type: 'boolean', default: false } } as const;
  const { values } = parseOptions({ args: [...argv], options });
  const { kills, seed, json } = values;
  return { kills: wholeNumber('--kills', kills, 1), seed: wholeNumber('--seed', seed, 0), json };
});
if (typeof asked === 'number') process.exit(asked);

const dataDir = mkdtempSync(path.join(tmpdir(), 'labscape-crash-'));
const host = new KilledHost(dataDir, await freePort());
const outcomes: KillOutcome[] = [];
try {
  await host.start();
  const ordeal = new Ordeal(host, seeded(asked.seed));
  await ordeal.prepare();
  for (let round = 0; round < asked.kills; round += 1) {
    const outcome = await ordeal.kill(round);
    outcomes.push(outcome);
    process.stderr.write(
      `kill ${round + 1} of ${asked.kills}, ${outcome.moment}: ${outcome.faults.length === 0 ? 'nothing lost' : outcome.faults.join('; ')}, converged in ${Math.round(outcome.convergedMs)} ms\n`,
    );
    if (outcome.faults.length > 0) break;
  }
} finally {
  await host.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
const faults = outcomes.flatMap((outcome) => outcome.faults);
const slowest = Math.max(...outcomes.map((outcome) => outcome.convergedMs));
const summary = {
  kills: outcomes.length,
  faults: faults.length,
  convergedMsMax: Math.round(slowest),
  seed: asked.seed,
};
process.stdout.write(
  asked.json ? `${JSON.stringify(summary)}\n` : `${summary.kills} kills, ${summary.faults} faults\n`,
);
process.exitCode = faults.length === 0 ? 0 : 1;
