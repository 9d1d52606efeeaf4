import type { Figure } from './figures.ts';
import { phaseFigures, runPhases } from './phases.ts';

const RECOVERIES = Number(process.env['BENCH_RECOVERIES'] ?? 200);

export const phases = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const eight = await runPhases(RECOVERIES, 8, 1_000, progress);
  return phaseFigures('8 groups:', eight.reports, eight.floor);
};
