import type { AuditEvent } from '../../schemas/audit.ts';
import type { RecoveryStatus } from '../../schemas/recovery.ts';
import type { ResourceStatus } from '../../schemas/resource.ts';
import { SEQ, TEXT } from '../fleet/beat-pulses.ts';
import { decodeBeats } from '../fleet/heartbeats.ts';
import { packPulse } from '../fleet/pulse-text.ts';
import { type Item, N, num, S } from '../table/attributes.ts';

/** No verdict falls so soon after a restore, ms: agents must be heard first. */
const GRACE_MS = 120_000;

/** What a resource remembers of itself, newer than any backup of it. */
const SINCE = ['leftAt', 'leftRev', 'recoveredAt', 'flaps', 'returnedAt'];

const without = (item: Item, ...names: readonly string[]): Item =>
  Object.fromEntries(Object.entries(item).filter(([name]) => !names.includes(name)));

/** What the detector did not fail stays failed until a recovery comes: by the rules, since an order of before is over. */
const owed = ({ failedBy = S('api') }: Item, at: number): Item =>
  failedBy['S'] === 'detector' ? {} : { failedBy, retryAt: N(at) };

/**
 * Nothing that went on when the backup was taken goes on: no lock, no fence that is waited for. Its agent may run what it
 * was given after the backup: it gets no further lease before it has carried out the list as it is now. Where the item
 * was `seen`, what was taken off it is known, and when it recovered last: a restore ends no cool-down.
 */
export const restoredResource = (
  item: Item,
  event: AuditEvent,
  { to, epoch, revision }: { readonly to: ResourceStatus; readonly epoch: number; readonly revision: number },
  seen: Item | undefined,
): Item => ({
  ...without(item, 'recovery', 'moving', 'retryAt', 'drainAt', ...(seen === undefined ? [] : SINCE)),
  ...(seen === undefined ? { leftAt: N(event.at), leftRev: N(revision) } : only(seen, ...SINCE)),
  status: S(to),
  epoch: N(epoch),
  rev: N(event.rev),
  head: S(event.hash),
  cfg: N(num(item, 'cfg') + 1),
  assignRev: N(revision),
  attempt: N(num(item, 'attempt') + 1),
  ...(to === 'failed' ? owed(item, event.at) : {}),
});

/**
 * No report about an epoch before is about this one. Who was given it after the backup may still run it: it starts
 * nowhere before `heldUntil`, epoch ms. Where the item was `seen`, its own hold tells.
 */
export const restoredGroup = (
  item: Item,
  epoch: number,
  heldUntil: number,
  seen: Item | undefined,
): Item => ({
  ...without(item, 'heldUntil', 'heldBy', 'waitsFor', 'roomFor'),
  ...(seen === undefined ? { heldUntil: N(heldUntil) } : only(seen, 'heldUntil', 'heldBy')),
  epoch: N(epoch),
  load: N(num(item, 'load') + 1),
  runEpoch: N(0),
  runCount: N(0),
});

const only = (item: Item, ...names: readonly string[]): Item =>
  Object.fromEntries(Object.entries(item).filter(([name]) => names.includes(name)));

/** As `event` ended it. */
export const restoredRecovery = (
  item: Item,
  event: AuditEvent,
  reason: string,
  status: RecoveryStatus = 'cancelled',
): Item => ({
  ...without(item, 'nextPhase', 'waiting', 'parkedAt', 'silentSince'),
  status: S(status),
  reason: S(reason),
  endedAt: N(event.at),
  rev: N(event.rev),
  head: S(event.hash),
});

/**
 * What agents said is old; that they said it stays, so that nobody says it for them again. All hosts that were ever heard
 * count as heard at `at`, epoch ms: one that is never heard again must be missed, once all have had the time to be heard.
 */
export const freshBeats = (item: Item, at: number): Item => {
  const kept = Object.entries(item).filter(
    ([name]) => ['pk', 'sk', 'v'].includes(name) || name.startsWith(SEQ),
  );
  const pulses = [...decodeBeats('', item).pulses].map(([id, { meanMs, deviationMs, epoch, leaseEndMs }]) => {
    const pulse = { meanMs, deviationMs, epoch, leaseEndMs, lastAt: at, status: 'ok' } as const;
    return [`${TEXT}${id}`, S(packPulse(pulse))] as const;
  });
  const heard = pulses.length === 0 ? {} : { heardAt: N(at), heardSince: N(at) };
  return { ...Object.fromEntries([...kept, ...pulses]), ...heard, graceUntil: N(at + GRACE_MS) };
};
