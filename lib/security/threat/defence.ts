import type { ProblemCode } from '../../errors.ts';
import type { Target } from '../authorizer.ts';
import type { Caller } from '../caller.ts';
import type { Deed } from './board.ts';
import type { ReportRefusal } from './signals.ts';

/** A request that is over, as far as anybody learnt who sent it. */
export interface Passage {
  readonly caller: Caller | undefined;
  readonly operation: string | undefined;
  readonly action: string | undefined;
  readonly route: string;
  readonly sourceIp: string | undefined;
  readonly target: Target | undefined;
  /** Why it was refused, undefined if it was not. */
  readonly code: ProblemCode | undefined;
}

/** What stands between a caller whose token is good and the operations, beside policy. */
export interface Defence {
  /** Throws `too-many-requests`. In memory only. */
  admit(caller: Caller, action: string): void;
  /** Throws what a response in force says: `principal-revoked`, `quarantined`, `too-many-requests`. */
  restrain(caller: Caller, deed: Deed): Promise<void>;
  report: ReportRefusal;
  /** Takes note of a request that is over. In memory only. */
  saw(passage: Passage): void;
  /** Writes what was noted if it is time to. Never throws. */
  settle(): Promise<void>;
}
