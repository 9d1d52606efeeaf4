/** A newer attempt or epoch has taken over: this task has nothing to do, and did nothing. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
}

/** Somebody wrote in between, more often than one task tries again: the state machine retries. */
export class LostRace extends Error {
  override readonly name = 'LostRace';
}

/** What was read back is not what was written: a person must look. */
export class VerifyFailed extends Error {
  override readonly name = 'VerifyFailed';
}

/** A person said no, and the execution that waited for it did not hear: the lock is let go. */
export class Rejected extends Error {
  override readonly name = 'Rejected';
}

/** A person called the recovery off before anything was moved: the fence is taken back. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
}
