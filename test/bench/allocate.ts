import { bareWrites } from './bare-allocation.ts';
import { BareTable } from './bare-table.ts';
import { type Figure, figureOf, percentile } from './figures.ts';
import { type Bench, setCapacity, setUpFleet, startBench, TENANT, vector } from './rig.ts';

const ROUNDS = 1_500;
const WARM_UP = 200;
const LABSCAPE = 'lab';
const SERVED = Array.from({ length: 12 }, (_, index) => `served-${index}`);
const BARE = Array.from({ length: 12 }, (_, index) => `bare-${index}`);
const ROLE = { role: 'served' };

/** HTTP round trip of POST /allocations beside its five items in a bare transaction, in turn, so that drift hits both. */
export const allocate = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const bench = await startBench();
  try {
    const capacity = vector(10_000_000);
    await setUpFleet(bench, LABSCAPE, new Map([...SERVED, ...BARE].map((id) => [id, capacity])));
    for (const id of SERVED) await setCapacity(bench, id, capacity, ROLE);
    const bare = new BareTable(bench);
    const writesOf = await bareWrites(bench, bare, LABSCAPE, BARE);
    const trips: number[] = [];
    const floor: number[] = [];
    for (let round = 0; round < ROUNDS + WARM_UP; round += 1) {
      if (round % 100 === 0) progress(`allocate: ${round} of ${ROUNDS + WARM_UP}`);
      const trip = await allocateOnce(bench, round);
      const bareMs = await bare.transact(writesOf(round));
      if (round < WARM_UP) continue;
      trips.push(trip);
      floor.push(bareMs);
    }
    const median = (samples: readonly number[]): number =>
      percentile(
        [...samples].sort((a, b) => a - b),
        0.5,
      );
    const ratioToFloor = Math.round((median(trips) / median(floor)) * 100) / 100;
    return [
      figureOf('allocate http round trip', trips, {
        extra: { ratioToFloor, ratioBudget: 2, held: ratioToFloor <= 2 },
      }),
      figureOf('allocate bare transaction', floor),
    ];
  } finally {
    await bench.stop();
  }
};

const allocateOnce = async (bench: Bench, round: number): Promise<number> => {
  const startedMs = performance.now();
  const answer = await fetch(`${bench.host.url}/allocations`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bench.token}`,
      'content-type': 'application/json',
      'idempotency-key': `round-${round}`,
    },
    body: JSON.stringify({ tenant: TENANT, demand: vector(100), constraints: { labels: ROLE } }),
  });
  await answer.text();
  if (answer.status !== 201) throw new Error(`POST /allocations answered ${answer.status}`);
  return performance.now() - startedMs;
};
