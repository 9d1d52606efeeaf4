import type { Candidate } from '../../lib/allocation/candidate.ts';
import type { Vector } from '../../lib/schemas/common.ts';
import { mapVector } from '../../lib/vector.ts';
import { seeded } from '../property/seeded.ts';
import { HOSTS, type Random, type Stream, type Wanted } from './stream-model.ts';

/** A mean host, of which the sizes below are shares. */
const MEAN_HOST: Vector = { processing: 32_000, memory: 128_000, storage: 4_000, network: 20_000 };
const DEVICES = 4;
const MODEL = 't4';
/** Share of drawn streams whose hosts have devices. */
const WITH_DEVICES = 1 / 3;
const SLOTS = [200, 250, 300, 500, 700, 1_000] as const;
/** Demands drawn to find what a mix asks for on average. */
const SAMPLE = 2_000;
/** What the arrivals of the heavier mix would hold together, of what the hosts offer, if nothing were refused. */
const LOAD_FROM = 0.95;
const LOAD_TO = 1.3;

const within = (random: Random, from: number, to: number): number => from + random() * (to - from);
/** Evenly on a logarithmic scale. */
const scaled = (random: Random, from: number, to: number): number => from * (to / from) ** random();
const times = <T>(count: number, make: () => T): readonly T[] => Array.from({ length: count }, make);
const someOf = <T>(random: Random, list: readonly T[]): T | undefined =>
  list[Math.floor(random() * list.length)];

interface Kind {
  readonly weight: number;
  /** Shares of a mean host. */
  readonly shares: Vector;
  /** How far a demand may be from its kind, each way; 0 makes all alike. */
  readonly jitter: number;
  readonly devices: Wanted['devices'];
}

const kindOf = (random: Random, devices: boolean): Kind => {
  const size = scaled(random, 0.01, 0.45);
  return {
    weight: random(),
    shares: mapVector(() => (random() < 0.15 ? 0 : Math.min(0.6, size * scaled(random, 0.4, 2.5)))),
    jitter: random() < 0.3 ? 0 : within(random, 0, 0.5),
    devices:
      devices && random() < 0.7
        ? { count: random() < 0.2 ? 2 : 1, milli: someOf(random, SLOTS) ?? 1_000 }
        : undefined,
  };
};

type Mix = (random: Random) => Wanted;

const mixOf = (random: Random, devices: boolean): Mix => {
  const kinds = times(1 + Math.floor(random() * 5), () => kindOf(random, devices));
  const total = kinds.reduce((sum, { weight }) => sum + weight, 0);
  return (draw) => {
    let left = draw() * total;
    const kind = kinds.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
    const { shares, jitter, devices: asked } = kind ?? kindOf(draw, devices);
    const demand = mapVector((d) =>
      Math.round(MEAN_HOST[d] * shares[d] * within(draw, 1 - jitter, 1 + jitter)),
    );
    return asked === undefined ? { demand } : { demand, devices: asked };
  };
};

/** What a mix asks for on average of what all hosts offer, in the dimension, or in devices, where that is most. */
const meanShare = (mix: Mix, random: Random, offered: Vector, slots: number): number => {
  const wanted = times(SAMPLE, () => mix(random));
  const asked = mapVector((d) => wanted.reduce((sum, { demand }) => sum + demand[d], 0) / offered[d]);
  const asksSlots = wanted.reduce(
    (sum, { devices }) => sum + (devices ? devices.count * devices.milli : 0),
    0,
  );
  return Math.max(...Object.values(asked), slots === 0 ? 0 : asksSlots / slots) / SAMPLE;
};

/** A stream whose hosts, two mixes and load are drawn from a seed: nobody chose them. */
export const drawnStream = (seed: number): Stream => {
  const random = seeded(seed);
  const withDevices = random() < WITH_DEVICES;
  const shapes = times(1 + Math.floor(random() * 3), () => {
    const size = scaled(random, 0.5, 2);
    return mapVector((d) => Math.round(MEAN_HOST[d] * size * scaled(random, 0.6, 1.6)));
  });
  const [before, after] = [mixOf(random, withDevices), mixOf(random, withDevices)];
  const offered = mapVector(
    (d) => (HOSTS * shapes.reduce((sum, shape) => sum + shape[d], 0)) / shapes.length,
  );
  const slots = withDevices ? HOSTS * DEVICES * 1_000 : 0;
  const heaviest = Math.max(
    meanShare(before, random, offered, slots),
    meanShare(after, random, offered, slots),
  );
  return {
    host: (draw): Pick<Candidate, 'fill' | 'devices'> => ({
      fill: someOf(draw, shapes) ?? MEAN_HOST,
      ...(withDevices ? { devices: { model: MODEL, used: new Array<number>(DEVICES).fill(0) } } : {}),
    }),
    ...{ before, after, life: within(random, LOAD_FROM, LOAD_TO) / heaviest },
  };
};
