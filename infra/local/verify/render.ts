import { CHECKS, type Finding } from '../../../lib/audit/verify/finding.ts';
import type { Paint } from '../../../lib/cli/paint.ts';
import { table } from '../../../lib/cli/table.ts';
import type { Verified } from './verify-folder.ts';

/** Faults that are listed for people; `--json` has all. */
const LISTED_MAX = 100;
const time = (ms: number): string => (ms === 0 ? 'never' : new Date(ms).toISOString());

export const render = (result: Verified, paint: Paint): string => {
  const { events, chains, resources, allocations, seals, faults } = result;
  const looked: Readonly<Record<(typeof CHECKS)[number], string>> = {
    chains: `${events} events in ${chains} chains`,
    state: `${resources} resources, ${allocations} allocations, rebuilt from events`,
    seals: `${seals} seals, until ${time(result.sealedUntil)}`,
    archive: `${seals} windows`,
  };
  const rows = CHECKS.map((check) => {
    const count = faults.filter((fault) => fault.check === check).length;
    return [
      check,
      looked[check],
      count === 0 ? paint('green', 'as written') : paint('red', `${count} faults`),
    ];
  });
  const titled = (names: readonly string[]) => names.map((title) => ({ title }));
  return [
    table(titled(['CHECK', 'WHAT', 'RESULT']), rows),
    ...notes(result),
    ...(faults.length === 0
      ? []
      : ['', table(titled(['ITEM', 'FAULT', 'WHY']), faults.slice(0, LISTED_MAX).map(row))]),
    ...(faults.length > LISTED_MAX ? [`and ${faults.length - LISTED_MAX} more: see --json`] : []),
    '',
  ].join('\n');
};

const row = ({ item, fault, why }: Finding): string[] => [item, fault, why];

const notes = ({ unsealed, waiting, pruned, keys, trusted, ms }: Verified): string[] => [
  ...(unsealed > 0 ? [`${unsealed} events are younger than the last seal`] : []),
  ...(waiting > 0 ? [`${waiting} events came late and are in no seal yet`] : []),
  ...(pruned > 0 ? [`${pruned} events are in the archive only`] : []),
  trusted === undefined
    ? `checked with the keys that the folder itself names (${keys.join(', ') || 'none'}): give --public-key`
    : `checked with the key ${trusted} that was given`,
  `took ${(ms / 1000).toFixed(1)} s`,
];
