import type { Recovery } from '../../lib/schemas/recovery.ts';
import { bareFlip } from './bare-flip.ts';
import type { Bench } from './rig.ts';
import { drainAndReturn, failAndRecover, setCapacity, setUpFleet, startBench, vector } from './rig.ts';
import { seedAllocations } from './seed.ts';

const VICTIM = 'victim';
const TARGETS = ['target-1', 'target-2', 'target-3', 'target-4'];
const ROLE = { role: 'victim' };
const WIDE = 1_000_000_000;
/** Of one allocation: large enough that rounding a target's room is nothing. */
const DEMAND = 100;
/** Limit of the tightest dimension as a share of its capacity. */
const TIGHTEST_LIMIT = 0.7;

export interface PhaseRuns {
  readonly reports: readonly Recovery[];
  /** The flip's request alone, in the same run, ms. */
  readonly floor: readonly number[];
}

/** Recoveries of one resource with so many groups and allocations, onto four targets that are all needed. */
export const runPhases = async (
  options: { readonly recoveries: number; readonly groups: number; readonly allocations: number },
  progress: (text: string) => void,
): Promise<PhaseRuns> => {
  const { recoveries, groups, allocations } = options;
  const bench = await startBench();
  try {
    await prepare(bench, groups, allocations);
    const floorOf = bareFlip(bench, groups, TARGETS.length);
    const groupSize = Math.ceil(allocations / groups) * DEMAND;
    // Room for a quarter of the groups each, and a bit.
    const room = Math.ceil((groupSize * (Math.ceil(groups / TARGETS.length) + 0.5)) / TIGHTEST_LIMIT);
    const reports: Recovery[] = [];
    const floor: number[] = [];
    for (let run = 0; run < recoveries; run += 1) {
      progress(`${groups} groups, ${allocations} allocations: recovery ${run + 1} of ${recoveries}`);
      for (const target of TARGETS) await setCapacity(bench, target, vector(room), ROLE);
      const report = await failAndRecover(bench, VICTIM);
      if (report.moves.length !== groups || report.pending.length > 0)
        throw new Error(`${report.id} moved ${report.moves.length} of ${groups} groups`);
      reports.push(report);
      floor.push(await floorOf());
      // Nothing but the victim may take them back.
      for (const target of TARGETS) await setCapacity(bench, target, vector(room), {});
      for (const target of TARGETS) await drainBack(bench, target);
    }
    return { reports, floor };
  } finally {
    await bench.stop();
  }
};

const prepare = async (bench: Bench, groups: number, allocations: number): Promise<void> => {
  await setUpFleet(bench, 'lab', new Map([VICTIM, ...TARGETS].map((id) => [id, vector(WIDE)])));
  await setCapacity(bench, VICTIM, vector(WIDE), ROLE);
  const seed = { resource: VICTIM, labscape: 'lab', groups, allocations, demand: vector(DEMAND) };
  await seedAllocations(bench, { ...seed, constraints: { labels: ROLE } });
};

/** Everything back to the victim, which alone has room. */
const drainBack = async (bench: Bench, target: string): Promise<void> => {
  const { groups } = await bench.operator.call('getResource', { params: { resource: target } });
  if (groups > 0) await drainAndReturn(bench, target);
};
