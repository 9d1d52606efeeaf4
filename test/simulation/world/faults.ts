import { CURES, type FaultKind, type Rates, STANDARD_RATES, STRESS_RATES } from '../rates.ts';
import type { Stream, Streams } from './chance.ts';

export type { FaultKind };
export const FAULT_KINDS = Object.keys(STANDARD_RATES).filter(
  (kind): kind is FaultKind => kind in STANDARD_RATES,
);

/** However bad: something must get through. */
const RATE_MAX = 0.5;

export interface Strike {
  /** Its number in the order of the strikes, from 1. */
  readonly ordinal: number;
  readonly kind: FaultKind;
}

/** Whether a fault strikes, of which there is a number in the order of their chances; shrinking leaves some out. */
export class Faults {
  readonly counts = new Map<FaultKind, number>();
  /** How often each kind could have struck. */
  readonly chances = new Map<FaultKind, number>();
  readonly struck: Strike[] = [];
  active = true;
  onStrike: (strike: Strike) => void = () => {};
  readonly #streams: Streams;
  readonly #own = new Map<FaultKind, Stream>();
  readonly #left: ReadonlySet<number>;
  #factor: number;
  #rates: Rates = STRESS_RATES;
  #ordinal = 0;

  constructor(streams: Streams, factor: number, leftOut: ReadonlySet<number>) {
    this.#streams = streams;
    this.#factor = factor;
    this.#left = leftOut;
  }

  /** Other rates than those for finding bugs. */
  use(rates: Rates, factor: number): void {
    this.#rates = rates;
    this.#factor = factor;
  }

  strikes(kind: FaultKind): boolean {
    const factor = CURES.has(kind) ? 1 : this.#factor;
    const drawn = this.#streamOf(kind).happens(Math.min(RATE_MAX, this.#rates[kind] * factor));
    if (!this.active) return false;
    this.chances.set(kind, (this.chances.get(kind) ?? 0) + 1);
    if (!drawn) return false;
    this.#ordinal += 1;
    if (this.#left.has(this.#ordinal)) return false;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
    const strike = { ordinal: this.#ordinal, kind };
    this.struck.push(strike);
    this.onStrike(strike);
    return true;
  }

  #streamOf(kind: FaultKind): Stream {
    const known = this.#own.get(kind) ?? this.#streams(`fault ${kind}`);
    this.#own.set(kind, known);
    return known;
  }

  get total(): number {
    return this.struck.length;
  }
}
