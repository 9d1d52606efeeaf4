import { type Measured, ratioOf, type Study, withPairs } from './availability.ts';
import { HOLDING_S } from './availability-history.ts';

const TARGET = 0.99999;
const percent = (share: number): string => `${(share * 100).toFixed(5)} %`;

export const measuredText = ({ factor, hours, faults, ...one }: Measured): string =>
  `  ${`${factor} ×`.padStart(6)}  ${percent(ratioOf(one)).padStart(12)}  measured in ${hours.toFixed(1)} virtual hours with ${faults} faults`;

/** What was measured, what was derived from it, and what bounds it. */
export const studyText = (study: Study): string => {
  const { kinds, startS, deaths, outageP50Ms, outageMaxMs, rhythm } = study;
  const heldH = startS / (1 - TARGET) / 3_600;
  return [
    'availability: allocation-seconds that the owner runs ÷ asked for, work held for a week on average',
    `beats of ${rhythm.beatMs} ms, leases of ${rhythm.leaseMs}`,
    ...study.measured.map(measuredText),
    ...study.derived.map(
      ({ factor, availability }) =>
        `  ${`${factor} ×`.padStart(6)}  ${percent(availability).padStart(12)}  derived: 1 − Σ rate × loss, single faults only`,
    ),
    `     1 ×  ${percent(withPairs(study)).padStart(12)}  estimated: with pairs of faults, from what 100 × loses beyond single ones`,
    '',
    'loss of each kind alone (measured), and how often it strikes at the standard rates',
    ...kinds.map(
      ({ kind, strikes, lossS, perYear }) =>
        `  ${kind.padEnd(20)} ${lossS.toFixed(2).padStart(9)} allocation-s each (${strikes} strikes) × ${perYear.toPrecision(3).padStart(8)} a year`,
    ),
    '',
    `host deaths: ${deaths}; all that ran there runs elsewhere after ${(outageP50Ms / 1_000).toFixed(1)} s (p50), ${(outageMaxMs / 1_000).toFixed(1)} s (worst)`,
    `a start takes ${startS.toFixed(2)} s: at ${HOLDING_S / 3_600} h a piece that costs ${percent(startS / HOLDING_S)}; work held for less than ${heldH.toFixed(1)} h cannot reach ${percent(TARGET)}`,
    ...study.breaches.map((breach) => `!! ${breach}`),
  ].join('\n');
};
