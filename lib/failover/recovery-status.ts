import type { RecoveryStatus } from '../schemas/recovery.ts';

/** Every transition of a recovery; what is not listed cannot be written. */
export const RECOVERY_TRANSITIONS: Readonly<Record<RecoveryStatus, readonly RecoveryStatus[]>> = {
  'awaiting-approval': ['running', 'refused', 'cancelled', 'parked'],
  running: ['done', 'degraded', 'cancelled', 'parked'],
  parked: ['running', 'done', 'degraded', 'cancelled'],
  done: [],
  degraded: [],
  refused: [],
  cancelled: [],
};

/** Nothing follows it; a parked one has not ended, for it may go on. */
export const isEnded = (status: RecoveryStatus): boolean => RECOVERY_TRANSITIONS[status].length === 0;

/** Whether the table has that transition. */
export const mayBecome = (from: RecoveryStatus, to: RecoveryStatus): boolean =>
  RECOVERY_TRANSITIONS[from].includes(to);
