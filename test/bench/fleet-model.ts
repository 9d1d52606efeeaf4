import type { Candidate } from '../../lib/allocation/candidate.ts';
import { fitDevices, shiftDevices } from '../../lib/allocation/devices.ts';
import { fillOf, limitOf } from '../../lib/allocation/limits.ts';
import type { PlacementRequest } from '../../lib/allocation/request.ts';
import type { Constraints } from '../../lib/schemas/allocation.ts';
import type { Vector } from '../../lib/schemas/common.ts';
import { add, mapVector } from '../../lib/vector.ts';

export type Random = () => number;

/** mulberry32 (Ettinger, public domain): 32 bits of state are enough for a benchmark. */
export const seeded = (seed: number): Random => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

export const between = (random: Random, from: number, to: number): number =>
  from + Math.floor(random() * (to - from + 1));
export const pick = <T>(random: Random, list: readonly [T, ...T[]]): T =>
  list[Math.floor(random() * list.length)] ?? list[0];

const SHARES = { processing: 0.8, memory: 0.85, storage: 0.75, network: 0.7 };
/** Cores, GiB of memory per core, TB of disk, Gbit/s: sizes as hosts are sold. */
const CORES = [8, 16, 32, 48, 64, 96, 128] as const;
const GIB_PER_CORE = [2, 4, 8] as const;
const DISK_GIB = [500, 1_000, 2_000, 8_000] as const;
const MBITS = [10_000, 25_000, 100_000] as const;
const LABSCAPES = ['l0', 'l1', 'l2', 'l3', 'l4', 'l5', 'l6', 'l7'] as const;
const PLACES = ['eu', 'us', 'asia'] as const;
const ZONES = ['a', 'b', 'c'] as const;
const DISKS = ['ssd', 'hdd'] as const;
const MODELS = ['t4', 'a100'] as const;
/** Shares of the fleet with devices, and of the demands that want some. */
const WITH_DEVICES = 0.2;
const DEVICES = 4;
const WEIGHTS = [50, 100, 150, 200] as const;
const SPREAD_KEYS = 40;
export const KIND = 'n.bench';

/** Used to about `share` of the fill in every dimension, each by itself. */
const usedAround = (random: Random, fill: Vector, share: number): Vector =>
  mapVector((d) => Math.floor(fill[d] * Math.min(1, Math.max(0, share + (random() - 0.5) * 0.5))));

export const host = (random: Random, id: string, share: number): Candidate => {
  const cores = pick(random, CORES);
  const at = Math.floor(random() * LABSCAPES.length);
  const capacity = {
    processing: cores * 1_000,
    memory: cores * pick(random, GIB_PER_CORE) * 1_024,
    storage: pick(random, DISK_GIB),
    network: pick(random, MBITS),
  };
  const limit = limitOf(capacity, SHARES);
  const fill = fillOf(limit, 'system');
  return {
    ...{ id, labscape: LABSCAPES[at] ?? 'l0', residency: PLACES[at % PLACES.length], status: 'healthy' },
    labels: { zone: pick(random, ZONES), disk: pick(random, DISKS) },
    ...{ capacity, limit, fill, used: usedAround(random, fill, share), cfg: 1, epoch: 1 },
    groups: Array.from({ length: between(random, 2, 16) }, (_, i) => ({
      kind: KIND,
      group: `${id}-${i}`,
    })),
    spread: random() < 0.1 ? [`s${between(random, 0, SPREAD_KEYS - 1)}`] : undefined,
    weight: WEIGHTS[at % WEIGHTS.length],
    devices:
      random() < WITH_DEVICES
        ? {
            model: pick(random, MODELS),
            used: Array.from({ length: DEVICES }, () => (random() < share ? 1_000 : 0)),
          }
        : undefined,
  };
};

export const fleetOf = (random: Random, resources: number, share: number): Candidate[] =>
  Array.from({ length: resources }, (_, i) => host(random, `r${String(i).padStart(6, '0')}`, share));

/** The same resource, used otherwise: what a refresh of the snapshot or another writer brings. */
export const changed = (random: Random, candidate: Candidate, share: number): Candidate => ({
  ...candidate,
  labels: { ...candidate.labels },
  used: usedAround(random, candidate.fill, share),
});

const constraintsOf = (random: Random): Constraints => {
  const labels = {
    ...(random() < 0.25 ? { zone: pick(random, ZONES) } : {}),
    ...(random() < 0.15 ? { disk: pick(random, DISKS) } : {}),
  };
  const spread = { key: `s${between(random, 0, SPREAD_KEYS - 1)}`, hard: random() < 0.5 };
  return {
    ...(random() < 0.2 ? { labscapes: [pick(random, LABSCAPES), pick(random, LABSCAPES)] } : {}),
    ...(random() < 0.1 ? { notLabscapes: [pick(random, LABSCAPES)] } : {}),
    ...(Object.keys(labels).length > 0 ? { labels } : {}),
    ...(random() < 0.1 ? { residency: [pick(random, PLACES)] } : {}),
    ...(random() < 0.25 ? { spread } : {}),
  };
};

/** Demands from a fraction of a core to most of a small host; a tenth wants devices, some a part of one. */
export const wish = (random: Random, most: number, key: string): PlacementRequest => {
  const cores = 2 ** between(random, -2, 3);
  return {
    demand: {
      processing: Math.floor(cores * 1_000 * (0.5 + random())),
      memory: Math.floor(cores * 1_024 * pick(random, GIB_PER_CORE)),
      storage: random() < 0.5 ? between(random, 1, 50) : 0,
      network: random() < 0.5 ? between(random, 10, 500) : 0,
    },
    constraints: constraintsOf(random),
    ...{ purpose: 'placement', kind: KIND, most, hashKey: key },
    ...(random() < 0.1
      ? { devices: { count: pick(random, [1, 1, 2]), milli: pick(random, [250, 500, 1_000]) } }
      : {}),
  };
};

/** The candidate with the request on it, as a commit leaves it. */
export const committed = (candidate: Candidate, request: PlacementRequest): Candidate => {
  const { devices, constraints } = request;
  const bank = candidate.devices;
  const fit = devices && fitDevices(bank, devices);
  const after =
    bank !== undefined && devices !== undefined && fit !== undefined && 'map' in fit
      ? shiftDevices(bank, fit.map, devices.milli, 1)
      : bank;
  const entry = constraints.spread?.key;
  return {
    ...candidate,
    ...{ used: add(candidate.used, request.demand), devices: after },
    spread: entry === undefined ? candidate.spread : [...(candidate.spread ?? []), entry],
  };
};
