import { headsOf } from './cut.ts';
import type { RestoreInput } from './restore-types.ts';

/** Added to every epoch that is restored, of resources, groups and assignment revisions. */
export const EPOCH_STEP = 1_000;

/**
 * What a restored epoch becomes. Where the audit goes on behind the backup, it knows which epochs were given out. Where it
 * is lost nobody does, and there may have been restores before, from the same backup or others: then no epoch is lower
 * than the time in ms since 1970, for none grows faster than that.
 */
export function raising({ id, backup, live, origin }: RestoreInput): (known: number) => number {
  const heads = headsOf(backup.events);
  // A restore from this backup that was stopped in the middle knows no more than the backup.
  const goesOn = live.events.some(
    ({ entity, rev, body }) => rev > (heads.get(entity)?.rev ?? 0) && body['backup'] !== id,
  );
  return (known) => Math.max(known + EPOCH_STEP, goesOn ? 0 : origin.at);
}
