import { CURES, type Rates, STANDARD_RATES } from '../rates.ts';
import type { Pool } from '../worker/pool.ts';
import { FAULT_KINDS, type FaultKind } from '../world/faults.ts';
import type { Rhythm } from '../world/world.ts';
import { HELD, HOLDING_S, type WatchResult } from './availability-history.ts';

const FACTORS = [1, 10, 100] as const;
/** Virtual time of a history, and between two faults where one kind alone is measured, ms. */
const HISTORY_MS = 600_000;
const KIND_HISTORY_MS = 300_000;
const BETWEEN_MS = 30_000;
const HOUR_MS = 3_600_000;
const HISTORIES_EACH = 4;
/** Histories of nothing but dying hosts, for the median of what a death costs. */
const DEATH_HISTORIES = 4;
/** Seeds of their own, far from those that look for bugs. */
const FIRST_SEED = 1_000_000;
const TURNOVER = 1 / HOLDING_S;

/** Asked and served are allocation-ms. */
export interface Measured {
  readonly factor: number;
  readonly asked: number;
  readonly served: number;
  readonly hours: number;
  readonly faults: number;
  readonly breaches: readonly string[];
}

/** One kind alone, as often as it can be told apart. */
export interface KindLoss {
  readonly kind: FaultKind;
  readonly perYear: number;
  readonly strikes: number;
  /** Allocation-seconds lost per strike. */
  readonly lossS: number;
}

export interface Study {
  readonly rhythm: Rhythm;
  readonly measured: readonly Measured[];
  readonly kinds: readonly KindLoss[];
  /** Seconds from the acceptance of a piece of work until it runs. */
  readonly startS: number;
  readonly derived: readonly { readonly factor: number; readonly availability: number }[];
  readonly deaths: number;
  readonly outageP50Ms: number;
  readonly outageMaxMs: number;
  readonly breaches: readonly string[];
}

/**
 * Availability at the standard rates with faults that meet: what is measured at the greatest factor beyond the single
 * faults, taken as pairs, which go with the square of the rates.
 */
export const withPairs = ({ measured, derived }: Study): number => {
  const [worst, single, standard] = [measured.at(-1), derived.at(-1), derived[0]];
  if (worst === undefined || single === undefined || standard === undefined) return 1;
  const beyond = Math.max(0, single.availability - ratioOf(worst));
  return standard.availability - beyond / worst.factor ** 2;
};

export const ratioOf = ({ asked, served }: { asked: number; served: number }): number =>
  asked === 0 ? 1 : served / asked;

/** Served ÷ asked at `factor` times the standard rates, as it was. */
export const measure = async (
  pool: Pool,
  rhythm: Rhythm,
  factor: number,
  histories = HISTORIES_EACH,
): Promise<Measured> => {
  const results = await Promise.all(
    Array.from({ length: histories }, (_, index) =>
      pool.run({
        ...{ kind: 'watch', seed: FIRST_SEED + index, factor, virtualMs: HISTORY_MS, turnover: TURNOVER },
        rhythm,
      }),
    ),
  );
  const total = (of: (result: WatchResult) => number): number =>
    results.reduce((sum, one) => sum + of(one), 0);
  return {
    ...{ factor, asked: total(({ asked }) => asked), served: total(({ served }) => served) },
    hours: total(({ virtualMs }) => virtualMs) / HOUR_MS,
    faults: total(({ faults }) => [...faults.values()].reduce((a, b) => a + b, 0)),
    breaches: results.flatMap(({ seed, breaches }) => breaches.map((breach) => `seed ${seed}: ${breach}`)),
  };
};

/** All of it: measured at each factor, and derived from what each kind of fault costs alone. */
export const study = async (pool: Pool, rhythm: Rhythm): Promise<Study> => {
  const alone = (seed: number, rates: Partial<Rates>, turnover = 0): Promise<WatchResult> =>
    pool.run({
      ...{ kind: 'watch', seed, factor: 1, virtualMs: KIND_HISTORY_MS, turnover, rhythm },
      rates: { ...NOTHING, operatorReturns: 1_000 / BETWEEN_MS, ...rates },
    });
  const calm = await alone(FIRST_SEED, {});
  const kinds = FAULT_KINDS.filter((kind) => chancesOf(calm, kind) >= KIND_HISTORY_MS / BETWEEN_MS);
  const only = (kind: FaultKind): Partial<Rates> => ({
    [kind]: KIND_HISTORY_MS / BETWEEN_MS / chancesOf(calm, kind),
  });
  const [measured, losses, deaths, starts] = await Promise.all([
    Promise.all(FACTORS.map((factor) => measure(pool, rhythm, factor))),
    Promise.all(kinds.map(async (kind) => lossOf(kind, calm, await alone(FIRST_SEED + 1, only(kind))))),
    Promise.all(
      Array.from({ length: DEATH_HISTORIES }, (_, index) => alone(FIRST_SEED + 2 + index, only('hostDies'))),
    ),
    alone(FIRST_SEED + 1, {}, 1_000 / BETWEEN_MS / HELD),
  ]);
  const startS = starts.starts === 0 ? 0 : lostS(starts) / starts.starts;
  const outages = deaths.flatMap(({ outagesMs }) => outagesMs).sort((a, b) => a - b);
  return {
    ...{ rhythm, measured, kinds: losses, startS },
    derived: FACTORS.map((factor) => ({ factor, availability: derive(calm, losses, startS, factor) })),
    deaths: outages.length,
    outageP50Ms: outages[Math.floor(outages.length / 2)] ?? Number.NaN,
    outageMaxMs: outages.findLast(Number.isFinite) ?? Number.NaN,
    breaches: [...measured, calm, starts, ...deaths].flatMap(({ breaches }) => breaches),
  };
};

const NOTHING = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Rates;

const chancesOf = ({ chances }: WatchResult, kind: FaultKind): number =>
  CURES.has(kind) ? 0 : (chances.get(kind) ?? 0);
const lostS = ({ asked, served }: WatchResult): number => (asked - served) / 1_000;

const lossOf = (kind: FaultKind, calm: WatchResult, result: WatchResult): KindLoss => {
  const strikes = result.faults.get(kind) ?? 0;
  const perMs = (chancesOf(calm, kind) / calm.virtualMs) * STANDARD_RATES[kind];
  return {
    ...{ kind, strikes, perYear: perMs * 365 * 24 * HOUR_MS },
    lossS: strikes === 0 ? 0 : lostS(result) / strikes,
  };
};

/** 1 − Σ rate × loss, per allocation-second that is asked for. Two faults at once are not in it. */
const derive = (calm: WatchResult, kinds: readonly KindLoss[], startS: number, factor: number): number => {
  const askedPerYear = (calm.asked / calm.virtualMs) * 365 * 86_400;
  const lost = kinds.reduce((sum, { perYear, lossS }) => sum + perYear * factor * lossS, 0);
  return Math.max(0, 1 - lost / askedPerYear - startS / HOLDING_S);
};
