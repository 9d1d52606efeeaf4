import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { freePort, KilledHost } from './killed-host.ts';
import { type KillOutcome, Ordeal } from './ordeal.ts';
import { seeded } from './seeded.ts';

/** `npm run crash [-- --kills N --seed N --json]`: kills the local host in the middle of recoveries; exit 1 if anything is lost. */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});

const dataDir = mkdtempSync(path.join(tmpdir(), 'labscape-crash-'));
const host = new KilledHost(dataDir, await freePort());
const outcomes: KillOutcome[] = [];
try {
  await host.start();
  const ordeal = new Ordeal(host, seeded(Number(values.seed)));
  await ordeal.prepare();
  for (let round = 0; round < Number(values.kills); round += 1) {
    const outcome = await ordeal.kill(round);
    outcomes.push(outcome);
    process.stderr.write(
      `kill ${round + 1} of ${values.kills}, ${outcome.moment}: ${outcome.faults.length === 0 ? 'nothing lost' : outcome.faults.join('; ')}, converged in ${Math.round(outcome.convergedMs)} ms\n`,
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
  seed: Number(values.seed),
};
process.stdout.write(
  values.json ? `${JSON.stringify(summary)}\n` : `${summary.kills} kills, ${summary.faults} faults\n`,
);
process.exitCode = faults.length === 0 ? 0 : 1;
