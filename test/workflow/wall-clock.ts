import { compileFunction } from 'node:vm';

/** Bundles of functions are compiled outside the test's own sandbox, whose Date is another. */
const OUTER_DATE: DateConstructor = compileFunction('return Date;')();
const DATES = OUTER_DATE === Date ? [Date] : [Date, OUTER_DATE];

/**
 * The wall clock of this process, set back and forward as somebody sets a machine's: for the host, its functions and
 * its issuer of tokens at once. Monotonic time and timers go on.
 */
export class WallClock {
  readonly #real = DATES.map((date) => ({ date, now: date.now }));

  /** Sets the clock to so much from the true time, ms. */
  set(offsetMs: number): void {
    for (const { date, now } of this.#real) date.now = () => now.call(date) + offsetMs;
  }

  restore(): void {
    for (const { date, now } of this.#real) date.now = now;
  }
}
