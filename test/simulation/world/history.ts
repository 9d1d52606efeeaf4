import type { SeedResult } from '../run-seed.ts';

/** What a reader can follow; what came long before the breach is left out first. */
const LINES_MAX = 120;
/** The last lines are shown whatever they are about. */
const LAST = 12;
/** Ids as they are written in keys, labels and breaches: of resources, groups, recoveries, tenants' keys, invocations. */
const NAME = /\b(?:[a-z]+(?:-[a-z0-9]+)*-[a-z]?\d+(?:-[a-z0-9]+)*|[a-z-]+#\d+)/g;
const BY = /^\d+ +([a-z-]+#\d+)\b/;
const BREACH = '!! invariant';

/**
 * The lines of a trace that tell how its breach came about: the faults, what was done to the entities that the breach
 * names and by whom, and its last moments. Left-out lines show as a count.
 */
export const readableHistory = ({ trace, breaches }: Pick<SeedResult, 'trace' | 'breaches'>): string[] => {
  const at = trace.findIndex((line) => line.includes(BREACH));
  const lines = at < 0 ? [...trace] : trace.slice(0, at + 1);
  const named = new Set(breaches.flatMap(({ what }) => what.match(NAME) ?? []));
  const tells = lines.map(
    (line, index) =>
      index >= lines.length - LAST ||
      line.includes(BREACH) ||
      FAULT.test(line) ||
      (line.match(NAME) ?? []).some((name) => named.has(name)),
  );
  // Who wrote what the breach names: its whole call is of interest.
  const writers = new Set(
    lines.filter((line, index) => tells[index] && writes(line)).map((line) => BY.exec(line)?.[1] ?? ''),
  );
  writers.delete('');
  const shown = lines.map((line, index) => tells[index] || writers.has(BY.exec(line)?.[1] ?? ''));
  // What came of a call stands below it.
  for (const [index, line] of lines.entries()) if (REMARK.test(line) && shown[index - 1]) shown[index] = true;
  return withGaps(lines, shown);
};

const FAULT = /^\d+ {3}fault \d+/;
const REMARK = /^\d+ {3}/;
const writes = (line: string): boolean => line.includes('TransactWriteItems') || line.includes('UpdateItem');

const withGaps = (lines: readonly string[], shown: readonly boolean[]): string[] => {
  const told: string[] = [];
  let gap = 0;
  const close = (): void => {
    if (gap > 0) told.push(`   … ${gap} lines`);
    gap = 0;
  };
  for (const [index, line] of lines.entries()) {
    if (!shown[index]) {
      gap += 1;
      continue;
    }
    close();
    told.push(line);
  }
  close();
  if (told.length <= LINES_MAX) return told;
  return [`   … ${told.length - LINES_MAX} earlier lines: --trace shows all`, ...told.slice(-LINES_MAX)];
};
