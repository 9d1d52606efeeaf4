import type { Recovery } from '../../lib/schemas/recovery.ts';
import { BareTable } from './bare-table.ts';
import { type Figure, figureOf } from './figures.ts';
import {
  allocateMany,
  type Bench,
  drainAndReturn,
  failAndRecover,
  setCapacity,
  setUpFleet,
  startBench,
  vector,
} from './rig.ts';

const VICTIM = 'victim';
const TARGETS = ['target-1', 'target-2', 'target-3', 'target-4'];
/** Room for everything: 4 % of it closes a group. */
const WIDE = 1_000_000;

/**
 * `groups` groups of equal size on the victim, and four targets that each have room for a quarter of them, so that a
 * recovery needs all four. Groups close at 4 % of capacity, hence the demand of one allocation.
 */
const prepare = async (bench: Bench, groups: number, allocations: number): Promise<number> => {
  const each = Math.ceil(allocations / groups);
  const demand = Math.ceil((WIDE * 0.04) / each);
  await setUpFleet(bench, 'lab', new Map([VICTIM, ...TARGETS].map((id) => [id, vector(WIDE)])));
  await setCapacity(bench, VICTIM, vector(WIDE), { role: 'victim' });
  await allocateMany(bench, each * groups, vector(demand), { lanes: 1, labels: { role: 'victim' } });
  return demand * each;
};

export const runPhases = async (
  recoveries: number,
  groups: number,
  allocations: number,
  progress: (text: string) => void,
): Promise<{ reports: readonly Recovery[]; floor: readonly number[] }> => {
  const bench = await startBench();
  try {
    const groupSize = await prepare(bench, groups, allocations);
    const floorOf = bareTransaction(bench, groups);
    const reports: Recovery[] = [];
    const floor: number[] = [];
    for (let run = 0; run < recoveries; run += 1) {
      progress(`${groups} groups, ${allocations} allocations: recovery ${run + 1} of ${recoveries}`);
      // Limit is 70 % of the capacity in the tightest dimension: room for a quarter of the groups, and a bit.
      const room = Math.ceil((groupSize * (groups / TARGETS.length + 0.5)) / 0.7);
      for (const target of TARGETS) await setCapacity(bench, target, vector(room), { role: 'victim' });
      reports.push(await failAndRecover(bench, VICTIM));
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

/** Everything back to the victim, which alone has room. */
const drainBack = async (bench: Bench, target: string): Promise<void> => {
  const { groups } = await bench.operator.call('getResource', { params: { resource: target } });
  if (groups > 0) await drainAndReturn(bench, target);
};

/** The same number of items in one bare transaction. */
const bareTransaction = (bench: Bench, groups: number): (() => Promise<number>) => {
  const bare = new BareTable(bench);
  let round = 0;
  return () => {
    round += 1;
    return bare.transact(
      Array.from({ length: groups + TARGETS.length + 3 }, (_, index) => ({
        Update: {
          TableName: bare.state,
          Key: { pk: { S: `bench-${index}` }, sk: { S: 'bench' } },
          UpdateExpression: 'SET a = :a ADD b :b',
          ExpressionAttributeValues: { ':a': { S: 'x'.repeat(200) }, ':b': { N: String(round) } },
        },
      })),
    );
  };
};

export const phaseFigures = (
  label: string,
  reports: readonly Recovery[],
  floor: readonly number[],
): Figure[] => {
  const floorFigure = figureOf(`${label} bare transaction`, floor);
  const names = [...new Set(reports.flatMap((report) => report.phases.map((phase) => phase.name)))];
  const figures = names.flatMap((name) => {
    const results = reports.flatMap((report) => report.phases.filter((phase) => phase.name === name));
    const budget = results[0]?.budgetMs;
    const samples = results.map((phase) => phase.ms);
    return budget === undefined ? [] : [figureOf(`${label} ${name}`, samples, { budget, floor })];
  });
  return [...figures, floorFigure];
};
