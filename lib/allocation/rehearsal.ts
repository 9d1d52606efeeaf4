import { DEVICE_MILLI } from '../schemas/devices.ts';
import type { StrategyName } from '../schemas/strategy.ts';
import { add, dominantShare, mapVector, subtract, sum, ZERO } from '../vector.ts';
import type { Candidate } from './candidate.ts';
import { type DeviceMap, fitDevices, shiftDevices } from './devices.ts';
import { FleetIndex } from './fleet-index.ts';
import type { PlacementRequest, Uniform } from './request.ts';
import type { Strategy, StrategyMaker } from './strategy.ts';

/** Resources of the model: fewer make scores that chance decides, more cost more; a demand played costs microseconds each. */
const MODEL_SIZE = 24;
/** What the demands played and not yet gone ask for, of the model's capacity: as much as it has, so some is refused. */
const LOAD = 1;
/** Share of the load that is strangers, each half a mean resource: what has not come yet may come. */
const STRANGERS_SHARE = 0.05;
/** Weight that a score keeps at each demand played: a memory of the last five hundred. */
const KEPT_SHARE = 1 - 1 / 512;

/** Where a demand stands on one stage. */
interface Lodging {
  readonly id: string;
  readonly map: DeviceMap;
}

interface Played {
  readonly request: PlacementRequest;
  /** By stage; undefined where it was refused. */
  readonly lodgings: readonly (Lodging | undefined)[];
}

interface Stage {
  readonly name: StrategyName;
  readonly index: FleetIndex;
  readonly strategy: Strategy;
  placed: number;
}

const emptied = (candidate: Candidate): Candidate => ({
  ...candidate,
  used: ZERO,
  groups: [],
  spread: [],
  eased: undefined,
  devices: candidate.devices && { ...candidate.devices, used: candidate.devices.used.map(() => 0) },
});

const mapFor = ({ devices }: Candidate, request: PlacementRequest): DeviceMap => {
  const fit = request.devices && fitDevices(devices, request.devices);
  return fit !== undefined && 'map' in fit ? fit.map : [];
};

/** The candidate with the demand on it, or without it again. */
const shifted = (
  candidate: Candidate,
  { demand, devices, constraints }: PlacementRequest,
  map: DeviceMap,
  sign: 1 | -1,
): Candidate => {
  const key = constraints.spread?.key;
  const held = candidate.spread ?? [];
  const without = key === undefined ? held : held.toSpliced(held.indexOf(key), 1);
  return {
    ...candidate,
    used: sign > 0 ? add(candidate.used, demand) : subtract(candidate.used, demand),
    devices:
      candidate.devices && devices
        ? shiftDevices(candidate.devices, map, devices.milli, sign)
        : candidate.devices,
    spread: sign < 0 ? without : key === undefined ? held : [...held, key],
  };
};

/** The first healthy resource of each of MODEL_SIZE equal stretches of the fleet's rows. */
const sampled = ({ rows }: FleetIndex): readonly Candidate[] => {
  const model: Candidate[] = [];
  const stretch = rows.end / MODEL_SIZE;
  for (let at = 0; at < MODEL_SIZE; at++) {
    const end = Math.ceil((at + 1) * stretch);
    let row = Math.ceil(at * stretch);
    while (row < end && rows.healthy[row] !== 1) row += 1;
    if (row < end) model.push(rows.at(row));
  }
  return model;
};

const slotsOf = ({ devices }: PlacementRequest): number =>
  devices === undefined ? 0 : devices.count * devices.milli;

/**
 * Strategies play the demands that come on emptied copies of a few resources, each on its own stage. The demands played
 * ask for as much as the model holds: before one comes, others leave, drawn by chance, on all stages alike. The
 * share of the demand that a strategy could place lately is its score.
 */
export class Rehearsal {
  readonly #stages: readonly Stage[];
  readonly #total: ReturnType<typeof sum>;
  readonly #slotsTotal: number;
  readonly #stranger: PlacementRequest;
  readonly #played: Played[] = [];
  #load = ZERO;
  #slots = 0;
  #asked = 0;
  #strangers = 0;

  constructor(fleet: FleetIndex, makers: ReadonlyMap<StrategyName, StrategyMaker>) {
    const model = sampled(fleet).map(emptied);
    this.#total = sum(model.map(({ fill }) => fill));
    this.#slotsTotal = model.reduce(
      (slots, { devices }) => slots + DEVICE_MILLI * (devices?.used.length ?? 0),
      0,
    );
    this.#stages = [...makers].map(([name, make]) => {
      const index = new FleetIndex();
      for (const one of model) index.put(one);
      return { name, index, strategy: make(index), placed: 0 };
    });
    const half = mapVector((d) => Math.floor(this.#total[d] / (2 * Math.max(1, model.length))));
    this.#stranger = { demand: half, constraints: {}, purpose: 'placement', most: 1 };
  }

  /** Plays one demand; one that the constraints keep off the whole model says nothing. */
  play(request: PlacementRequest, chance: Uniform): void {
    const [stage] = this.#stages;
    if (stage === undefined || stage.index.query(request).population() === 0) return;
    this.#playOne({ ...request, most: 1 }, chance);
    const size = this.#sizeOf(this.#stranger);
    this.#strangers *= KEPT_SHARE;
    if (this.#strangers + size > STRANGERS_SHARE * this.#asked) return;
    this.#strangers += size;
    this.#playOne(this.#stranger, chance);
  }

  /** Share of the demand asked for lately that each strategy placed. */
  scores(): ReadonlyMap<StrategyName, number> {
    return new Map(
      this.#stages.map(({ name, placed }) => [name, this.#asked === 0 ? 1 : placed / this.#asked]),
    );
  }

  #playOne(request: PlacementRequest, chance: Uniform): void {
    while (this.#played.length > 0 && this.#wouldOverload(request))
      this.#leave(Math.floor(chance() * this.#played.length));
    const size = this.#sizeOf(request);
    this.#asked = KEPT_SHARE * this.#asked + size;
    this.#load = add(this.#load, request.demand);
    this.#slots += slotsOf(request);
    const lodgings = this.#stages.map((stage): Lodging | undefined => {
      stage.placed *= KEPT_SHARE;
      const [choice] = stage.strategy.choose(request, chance);
      if (choice === undefined) return undefined;
      stage.placed += size;
      const { candidate } = choice;
      const map = mapFor(candidate, request);
      stage.index.put(shifted(candidate, request, map, 1));
      return { id: candidate.id, map };
    });
    this.#played.push({ request, lodgings });
  }

  /** The last one played takes the place of the one that leaves. */
  #leave(at: number): void {
    const left = this.#played[at];
    const last = this.#played.pop();
    if (left === undefined || last === undefined) return;
    if (left !== last) this.#played[at] = last;
    this.#load = subtract(this.#load, left.request.demand);
    this.#slots -= slotsOf(left.request);
    for (const [i, { index }] of this.#stages.entries()) {
      const lodging = left.lodgings[i];
      const candidate = lodging && index.get(lodging.id);
      if (candidate !== undefined && lodging !== undefined)
        index.put(shifted(candidate, left.request, lodging.map, -1));
    }
  }

  #wouldOverload(request: PlacementRequest): boolean {
    return this.#share(add(this.#load, request.demand), this.#slots + slotsOf(request)) > LOAD;
  }

  #sizeOf(request: PlacementRequest): number {
    return this.#share(request.demand, slotsOf(request));
  }

  /** The greatest share of the model's capacity, devices included; what the model lacks altogether is left out. */
  #share(amount: PlacementRequest['demand'], slots: number): number {
    const known = mapVector((d) => (this.#total[d] === 0 ? 0 : amount[d]));
    return Math.max(dominantShare(known, this.#total), this.#slotsTotal === 0 ? 0 : slots / this.#slotsTotal);
  }
}
