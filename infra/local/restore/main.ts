import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { applyRestore, type Restored } from '../../../lib/services/backup/apply-restore.ts';
import { planHere, readPlace } from '../../../lib/services/backup/restore.ts';
import type { RestorePlan } from '../../../lib/services/backup/restore-types.ts';
import { stateFaults } from '../../../lib/services/backup/verify.ts';
import { understood } from '../../usage.ts';
import { OWNERS_UMASK } from '../data-folder.ts';
import { asError } from '../errors.ts';
import { type Arguments, readArguments, USAGE } from './options.ts';
import { backupFrom, type Found, type OpenPlace, openPlace } from './places.ts';
import { renderPlan, renderRestored } from './render.ts';

const EXIT_LEFT = 1;
/** Refusals that their own sentence explains. */
const EXPECTED = new Set(['HostError', 'BackupDamaged', 'Unsettled', 'ChangedSince', 'StoreUnavailable']);

/** What a restore did, or would do. */
export interface Outcome {
  readonly found: Pick<Found, 'id' | 'point'>;
  readonly plan: RestorePlan;
  readonly restored: Restored | undefined;
  /** What is wrong with the whole place afterwards. */
  readonly faults: readonly string[];
  /** Whether it was looked for: only where nobody else writes. */
  readonly checked: boolean;
  readonly ms: number;
}

/** Plans, and with `apply` restores and checks. Throws HostError, BackupDamaged, Unsettled. */
export async function restore(asked: Arguments): Promise<Outcome> {
  const startedMs = performance.now();
  const found = await backupFrom(asked);
  const place = await openPlace(asked.target, asked.endpoint);
  try {
    const requester = { actor: `restore:${userInfo().username}`, request: randomUUID().slice(0, 8) };
    const { scope } = asked;
    const options = { id: found.id, scope, clock: { now: () => Date.now() }, lagMs: place.lagMs, requester };
    const plan = await planHere(place, found, options);
    const restored = asked.apply ? await applyRestore(place.store, plan) : undefined;
    const checked = restored !== undefined && place.lagMs === 0;
    const faults = checked ? await check(place) : [];
    return { found, plan, restored, faults, checked, ms: Math.round(performance.now() - startedMs) };
  } finally {
    await place.close();
  }
}

async function check(place: OpenPlace): Promise<readonly string[]> {
  const { items, events } = await readPlace(place);
  return stateFaults(items, events);
}

/** What AWS answered, or its client found missing before it asked. */
function wordsOfAws(error: unknown): string | undefined {
  const { name, message } = asError(error);
  const answered = typeof error === 'object' && error !== null && '$metadata' in error;
  if (!answered && name !== 'CredentialsProviderError' && !message.startsWith('Region ')) return undefined;
  const said = `AWS: ${answered ? `${name}: ` : ''}${message.replace(/\.$/, '')}.`;
  return answered
    ? said
    : `${said} Set AWS_REGION and credentials, or name an engine on this machine with --endpoint.`;
}

async function main(): Promise<number> {
  const asked = understood(USAGE, readArguments);
  if (typeof asked === 'number') return asked;
  process.umask(OWNERS_UMASK);
  try {
    const { found, plan, restored, faults, checked, ms } = await restore(asked);
    process.stdout.write(`${renderPlan(found, plan, restored !== undefined)}\n`);
    process.stdout.write(
      `${restored === undefined ? 'Nothing was written: say --apply to do it.' : renderRestored(restored, checked ? faults : undefined, ms)}\n`,
    );
    const left = plan.conflicts.length + (restored?.refused.length ?? 0) + faults.length;
    return left > 0 ? EXIT_LEFT : 0;
  } catch (error) {
    const { name, message } = asError(error);
    const words = EXPECTED.has(name) ? message : wordsOfAws(error);
    if (words === undefined) throw error;
    process.stderr.write(`${words}\n`);
    return EXIT_LEFT;
  }
}

if (import.meta.main) process.exitCode = await main();
