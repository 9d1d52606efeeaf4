import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import type { StrategyName } from '../../lib/schemas/strategy.ts';
import { committed, fleetOf, seeded, wish } from './fleet-model.ts';
const strategy = (process.argv[2] ?? 'fragmentation-aware') as StrategyName;
const rounds = Number(process.argv[3] ?? 1000);
const random = seeded(1000);
const fleet = fleetOf(random, 1000, 0.7);
const index = new FleetIndex();
for (const one of fleet) index.put(one);
const chooser = STRATEGIES[strategy](index);
const samples: number[] = [];
const first: number[] = [];
for (let round = 0; round < 50 + rounds; round++) {
  const requests = Array.from({ length: 100 }, (_, i) => wish(random, 1, `${round}-${i}`));
  const s = performance.now();
  let n = 0; let at10 = 0;
  for (const request of requests) {
    const [f] = chooser.choose(request, random);
    n += 1; if (n === 10) at10 = performance.now() - s;
    if (f === undefined) continue;
    index.put(committed(f.candidate, request));
  }
  const ms = performance.now() - s;
  if (round >= 50) { samples.push(ms); first.push(at10); }
  for (const one of fleet) index.put(one);
}
const q = (a: number[], p: number) => a.toSorted((x, y) => x - y)[Math.floor(p * a.length)]?.toFixed(2);
console.log(strategy, 'p50', q(samples, 0.5), 'p90', q(samples, 0.9), 'p99', q(samples, 0.99), 'min', q(samples, 0), 'first ten p50', q(first, 0.5), 'p99', q(first, 0.99));
