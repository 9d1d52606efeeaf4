import { spawn } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import canonicalize from 'canonicalize';
import { ROOT } from '../../../infra/bundle.ts';
import { inclusionPath } from '../../../lib/audit/merkle.ts';
import { leafOf, nextSeal, sealedBytes, signedSeal } from '../../../lib/audit/seal.ts';
import { keyFromSpki } from '../../../lib/audit/seal-key.ts';
import type { Seal } from '../../../lib/schemas/seal.ts';
import { SEAL_EVENTS_MAX } from '../../../lib/services/trail/sealing.ts';
import type { Figure } from '../figures.ts';
import { loadNow } from '../timed.ts';
import { allocationCost } from './allocation-cost.ts';
import { eventHistory } from './event-history.ts';
import { sealedFolder } from './sealed-folder.ts';

/** Events that are verified: two sizes, so that costs that grow faster than their number show. */
const VERIFIED = [100_000, 1_000_000];
/** Events of a seal that proofs are measured for. */
const SIZES = [100, SEAL_EVENTS_MAX];

/** A figure that is one number. */
const single = (name: string, value: number, unit: string, extra: object = {}): Figure => ({
  ...{ name, unit, n: 1, p50: value, p99: value, value },
  ...extra,
});

/** What the audit costs where it is written, and what it takes to check it. */
export const audit = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const figures = [...(await allocationCost(progress))];
  for (const events of VERIFIED) figures.push(await verification(events, progress));
  return [...figures, ...sizes()];
};

interface Report {
  readonly verified: boolean;
  readonly events: number;
  readonly seals: number;
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakMiB: number;
  readonly faults: readonly unknown[];
}

/** The command as an auditor runs it, over a folder of so many events. */
const verification = async (events: number, progress: (text: string) => void): Promise<Figure> => {
  const dir = mkdtempSync(join(tmpdir(), 'labscape-bench-audit-'));
  try {
    const startedMs = performance.now();
    await sealedFolder(dir, events, progress);
    const madeInS = Math.round((performance.now() - startedMs) / 1_000);
    progress(`audit: verifying ${events} events`);
    const { verified, events: seen, seals, ms, cpuMs, peakMiB, faults } = await verify(dir);
    if (!verified || seen !== events)
      throw new Error(`${seen} events, ${JSON.stringify(faults.slice(0, 3))}`);
    const eventsPerS = Math.round(events / (ms / 1_000));
    return single(`audit:verify of ${events} events`, Math.round(ms / 100) / 10, 's', {
      ...{ eventsPerS, cpuS: Math.round(cpuMs / 100) / 10, seals, peakMiB, madeInS, load: loadNow() },
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

const verify = (dir: string): Promise<Report> =>
  new Promise((resolve, reject) => {
    const words = ['infra/local/verify/main.ts', '--data', dir, '--json'];
    const child = spawn(process.execPath, words, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.on('error', reject).on('close', () => {
      try {
        resolve(JSON.parse(out) as Report);
      } catch (error) {
        reject(error);
      }
    });
  });

/** Bytes as they travel: canonical JSON. */
const sizes = (): readonly Figure[] => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const key = keyFromSpki(publicKey.export({ type: 'spki', format: 'der' })).id;
  const bytes = (value: unknown): number => Buffer.byteLength(canonicalize(value) ?? '');
  return SIZES.flatMap((size) => {
    const events = [...eventHistory(size, 0, 1)];
    const body = nextSeal(undefined, { from: 0, to: size }, events, { key });
    const seal: Seal = signedSeal(body, sign(null, sealedBytes(body), privateKey));
    const index = Math.floor(size / 3);
    const path = inclusionPath(events.map(leafOf), index).map((hash) => hash.toString('hex'));
    const proof = { event: events[index], seal, index, path };
    const among = `of ${size} events`;
    return [
      single(`seal ${among}`, bytes(seal), 'bytes'),
      single(`proof in a seal ${among}`, bytes(proof), 'bytes', { hashes: path.length, path: bytes(path) }),
    ];
  });
};
