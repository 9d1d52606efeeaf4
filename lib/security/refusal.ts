import type { ProblemCode } from '../errors.ts';

/** Somebody was not let in, or not let do something: what the counting of refusals needs, and nothing that was sent. */
export interface Refusal {
  readonly code: ProblemCode;
  /** Absent where nobody is known to have asked. */
  readonly principal?: string | undefined;
  /** Route key, e.g. `POST /allocations`. */
  readonly route: string;
  readonly atMs: number;
}

/** Called once per refusal, before the answer leaves. Must not throw, nor keep anybody waiting. */
export type ReportRefusal = (refusal: Refusal) => void;
