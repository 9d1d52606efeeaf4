import type { Candidate } from '../../lib/allocation/candidate.ts';
import { fitDevices, shiftDevices } from '../../lib/allocation/devices.ts';
import { FleetIndex } from '../../lib/allocation/fleet-index.ts';
import type { PlacementRequest } from '../../lib/allocation/request.ts';
import { STRATEGIES } from '../../lib/allocation/strategies/registry.ts';
import { DEVICE_MILLI } from '../../lib/schemas/devices.ts';
import type { StrategyName } from '../../lib/schemas/strategy.ts';
import { add, dominantShare, mapVector, subtract, sum } from '../../lib/vector.ts';
import { seeded } from '../property/seeded.ts';

export type Random = () => number;
export type Wanted = Pick<PlacementRequest, 'demand' | 'devices'>;

/** A fleet and what is asked of it: one mix in the first half, another in the second. */
export interface Stream {
  readonly host: (random: Random) => Pick<Candidate, 'fill' | 'devices'>;
  readonly before: (random: Random) => Wanted;
  readonly after: (random: Random) => Wanted;
  /** Arrivals that an allocation lives through; what never leaves outlives the stream. */
  readonly life: number;
}

export const HOSTS = 60;
export const ARRIVALS = 4_000;

const between = (random: Random, from: number, to: number): number =>
  from + Math.floor(random() * (to - from + 1));

const vector = (processing: number, memory: number) => ({ processing, memory, storage: 0, network: 0 });
const small = (random: Random): Wanted => ({
  demand: vector(between(random, 200, 1_000), between(random, 500, 2_000)),
});
const large = (random: Random): Wanted => ({
  demand: vector(between(random, 6_000, 9_000), between(random, 12_000, 18_000)),
});
const mixed = (random: Random, shareLarge: number): Wanted =>
  random() < shareLarge ? large(random) : small(random);
const even = (): Pick<Candidate, 'fill'> => ({
  fill: { processing: 16_000, memory: 32_000, storage: 1_000, network: 1_000 },
});

export const STREAMS: Readonly<Record<string, Stream>> = {
  'small, then large': {
    host: even,
    before: (random) => mixed(random, 0.02),
    after: (random) => mixed(random, 0.25),
    life: 330,
  },
  'large, then small': {
    host: even,
    before: (random) => mixed(random, 0.25),
    after: (random) => mixed(random, 0.02),
    life: 330,
  },
  'processing, then memory, on uneven hosts': {
    host: (random) => {
      const processing = 8_000 * 2 ** between(random, 0, 3);
      return {
        fill: { processing, memory: processing * between(random, 1, 4), storage: 1_000, network: 1_000 },
      };
    },
    before: (random) => ({ demand: vector(between(random, 500, 7_000), between(random, 200, 3_000)) }),
    after: (random) => ({ demand: vector(between(random, 200, 2_000), between(random, 2_000, 14_000)) }),
    life: 640,
  },
  'parts of devices, then whole ones': {
    host: () => ({ ...even(), devices: { model: 't4', used: [0, 0, 0, 0] } }),
    before: (random) => ({
      demand: vector(between(random, 200, 600), between(random, 500, 1_500)),
      devices: { count: 1, milli: random() < 0.5 ? 250 : 500 },
    }),
    after: (random) => ({
      demand: vector(between(random, 500, 1_000), between(random, 1_000, 2_000)),
      devices: { count: random() < 0.3 ? 2 : 1, milli: random() < 0.5 ? 1_000 : 250 },
    }),
    life: 300,
  },
};

/** The greatest share that a demand asks for of what all hosts offer, their devices included. */
const sizesOver = (hosts: readonly Pick<Candidate, 'fill' | 'devices'>[]): ((wanted: Wanted) => number) => {
  const offered = sum(hosts.map(({ fill }) => fill));
  const slots = hosts.reduce((all, { devices }) => all + DEVICE_MILLI * (devices?.used.length ?? 0), 0);
  return ({ demand, devices }) =>
    Math.max(dominantShare(demand, offered), devices ? (devices.count * devices.milli) / slots : 0);
};

interface Lodger {
  readonly host: string;
  readonly wanted: Wanted;
  readonly map: readonly number[];
  readonly leavesAt: number;
}

const leave = (index: FleetIndex, { host, wanted, map }: Lodger): void => {
  const one = index.get(host);
  if (one === undefined) throw new Error(`${host} is gone`);
  const { devices } = wanted;
  const bank = one.devices;
  index.put({
    ...one,
    used: subtract(one.used, wanted.demand),
    devices: bank && devices ? shiftDevices(bank, map, devices.milli, -1) : bank,
  });
};

const arrive = (index: FleetIndex, one: Candidate, wanted: Wanted, leavesAt: number): Lodger => {
  const { devices } = wanted;
  const bank = one.devices;
  const fit = bank && devices ? fitDevices(bank, devices) : { map: [] };
  const map = 'map' in fit ? fit.map : [];
  index.put({
    ...one,
    used: add(one.used, wanted.demand),
    devices: bank && devices ? shiftDevices(bank, map, devices.milli, 1) : bank,
  });
  return { host: one.id, wanted, map, leavesAt };
};

/** Share of the demand that a strategy places over a stream, by size. */
export const placedShare = (
  name: StrategyName,
  stream: Stream,
  seed: number,
  arrivals = ARRIVALS,
): number => {
  const random = seeded(seed);
  const index = new FleetIndex();
  const hosts = Array.from({ length: HOSTS }, () => stream.host(random));
  const sizeOf = sizesOver(hosts);
  for (const [i, { fill, devices }] of hosts.entries())
    index.put({
      ...{ id: `r${String(i).padStart(2, '0')}`, labscape: 'north', status: 'healthy', labels: {} },
      ...{
        capacity: fill,
        limit: fill,
        fill,
        used: mapVector(() => 0),
        cfg: 1,
        epoch: 1,
        groups: [],
        devices,
      },
    });
  const strategy = STRATEGIES[name](index);
  // Chance of the strategy's own, so that all see the same stream.
  const chance = seeded(seed + 1);
  let lodgers: Lodger[] = [];
  let [asked, placed] = [0, 0];
  for (let arrival = 0; arrival < arrivals; arrival++) {
    const leaving = lodgers.filter(({ leavesAt }) => leavesAt <= arrival);
    if (leaving.length > 0) lodgers = lodgers.filter(({ leavesAt }) => leavesAt > arrival);
    for (const lodger of leaving) leave(index, lodger);
    const wanted = arrival < arrivals / 2 ? stream.before(random) : stream.after(random);
    const leavesAt = arrival + Math.ceil(-Math.log(1 - random()) * stream.life);
    asked += sizeOf(wanted);
    const request = {
      ...wanted,
      constraints: {},
      purpose: 'placement',
      most: 1,
      hashKey: `k${arrival}`,
    } as const;
    const [first] = strategy.choose(request, chance);
    if (first === undefined) continue;
    placed += sizeOf(wanted);
    lodgers.push(arrive(index, first.candidate, wanted, leavesAt));
  }
  return placed / asked;
};
