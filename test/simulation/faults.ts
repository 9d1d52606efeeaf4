import type { Streams } from './chance.ts';

/**
 * Every kind of fault. The standard mix is per opportunity (a store call, a message, a second of a host's life…).
 * Sources: store errors, DynamoDB's service level (99.99 %) with retried throttling well above; lost messages, 0.1 % of
 * wide-area requests (Pingmesh, SIGCOMM 2015, reports 10^-4 to 10^-3); host deaths, 4 % of machines a day would be 5e-7 a
 * second, raised 1,000-fold so that a minute has some; the others as often as the store's errors.
 */
export const STANDARD_RATES = {
  crashBefore: 0.002,
  crashAfter: 0.002,
  unknownOutcome: 0.004,
  throttled: 0.006,
  conflict: 0.006,
  slowCall: 0.02,
  coldStart: 0.05,
  staleInstance: 0.05,
  startFails: 0.03,
  duplicateTask: 0.03,
  redrive: 0.02,
  lostMessage: 0.01,
  lateMessage: 0.02,
  doubledMessage: 0.02,
  partition: 0.004,
  hostDies: 0.004,
  hostDiesAndReturns: 0.006,
  targetDies: 0.05,
  agentLate: 0.15,
  agentNever: 0.02,
  agentTwice: 0.03,
  clockSkew: 0.1,
  clockJump: 0.01,
  alarmStorm: 0.02,
  operatorDrains: 0.02,
  operatorFails: 0.01,
  operatorRejects: 0.2,
  operatorMaintains: 0.01,
  operatorReturns: 0.15,
  fullQuota: 0.1,
} as const;
export type FaultKind = keyof typeof STANDARD_RATES;
export const FAULT_KINDS = Object.keys(STANDARD_RATES).filter(
  (kind): kind is FaultKind => kind in STANDARD_RATES,
);

/** Whether a fault strikes, of which there is a number in the order of their chances; shrinking leaves some out. */
export class Faults {
  readonly counts = new Map<FaultKind, number>();
  readonly struck: { readonly ordinal: number; readonly kind: FaultKind }[] = [];
  active = true;
  readonly #streams: Streams;
  readonly #factor: number;
  readonly #left: ReadonlySet<number>;
  #ordinal = 0;

  constructor(streams: Streams, factor: number, leftOut: ReadonlySet<number>) {
    this.#streams = streams;
    this.#factor = factor;
    this.#left = leftOut;
  }

  strikes(kind: FaultKind): boolean {
    const drawn = this.#streams(`fault ${kind}`).happens(Math.min(0.5, STANDARD_RATES[kind] * this.#factor));
    if (!this.active || !drawn) return false;
    this.#ordinal += 1;
    if (this.#left.has(this.#ordinal)) return false;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    this.struck.push({ ordinal: this.#ordinal, kind });
    return true;
  }

  get total(): number {
    return this.struck.length;
  }
}
