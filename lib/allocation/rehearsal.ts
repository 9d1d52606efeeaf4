import type { StrategyName } from '../schemas/strategy.ts';
import { add, mapVector, sum, ZERO } from '../vector.ts';
import type { Candidate } from './candidate.ts';
import { fitDevices, shiftDevices } from './devices.ts';
import { FleetIndex } from './fleet-index.ts';
import type { PlacementRequest, Uniform } from './request.ts';
import type { Strategy, StrategyMaker } from './strategy.ts';

/** Resources of the model: a rehearsal is over after a few dozen demands, and costs microseconds each. */
const MODEL_SIZE = 12;
/** A rehearsal ends when so many times the model's capacity was asked for in some dimension: what overflows tells. */
const ASKED_MAX = 1.2;
/** Demands after which it ends in any case. */
const DEMANDS_MAX = 2_048;
/** Every so many demands a stranger is added, half a mean resource: what has not come yet may come. */
const STRANGER_EVERY = 16;

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
  devices: candidate.devices && { ...candidate.devices, used: candidate.devices.used.map(() => 0) },
});

/** The candidate with the demand on it. */
const taken = (
  candidate: Candidate,
  { demand, devices, constraints: { spread } }: PlacementRequest,
): Candidate => {
  const fit = devices === undefined ? undefined : fitDevices(candidate.devices, devices);
  const bank =
    fit !== undefined && 'map' in fit && candidate.devices !== undefined && devices !== undefined
      ? shiftDevices(candidate.devices, fit.map, devices.milli, 1)
      : candidate.devices;
  return {
    ...candidate,
    used: add(candidate.used, demand),
    devices: bank,
    spread: spread === undefined ? candidate.spread : [...(candidate.spread ?? []), spread.key],
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

/**
 * Strategies play the demands that come on emptied copies of a few resources, each on its own, until more was asked for
 * than these hold; the share of the demand that each could place is its score. Nothing is remembered from before.
 */
export class Rehearsal {
  readonly #stages: readonly Stage[];
  readonly #total: ReturnType<typeof sum>;
  readonly #stranger: PlacementRequest;
  #asked = ZERO;
  #size = 0;
  #demands = 0;

  constructor(fleet: FleetIndex, makers: ReadonlyMap<StrategyName, StrategyMaker>) {
    const model = sampled(fleet).map(emptied);
    this.#total = sum(model.map(({ fill }) => fill));
    this.#stages = [...makers].map(([name, make]) => {
      const index = new FleetIndex();
      for (const one of model) index.put(one);
      return { name, index, strategy: make(index), placed: 0 };
    });
    const half = mapVector((d) => Math.floor(this.#total[d] / (2 * Math.max(1, model.length))));
    this.#stranger = { demand: half, constraints: {}, purpose: 'placement', most: 1 };
  }

  get over(): boolean {
    return this.#demands >= DEMANDS_MAX || this.#share(this.#asked) >= ASKED_MAX;
  }

  /** Plays one demand; one that the constraints keep off the whole model says nothing. */
  play(request: PlacementRequest, chance: Uniform): void {
    const [stage] = this.#stages;
    if (stage === undefined || stage.index.query(request).population() === 0) return;
    this.#demands += 1;
    this.#playOne({ ...request, most: 1 }, chance);
    if (this.#demands % STRANGER_EVERY === 0) this.#playOne(this.#stranger, chance);
  }

  /** Share of the demand asked for that each strategy placed. */
  scores(): ReadonlyMap<StrategyName, number> {
    const size = this.#size;
    return new Map(this.#stages.map(({ name, placed }) => [name, size === 0 ? 1 : placed / size]));
  }

  #playOne(request: PlacementRequest, chance: Uniform): void {
    const size = this.#share(request.demand);
    this.#asked = add(this.#asked, request.demand);
    this.#size += size;
    for (const stage of this.#stages) {
      const [choice] = stage.strategy.choose(request, chance);
      if (choice === undefined) continue;
      stage.placed += size;
      stage.index.put(taken(choice.candidate, request));
    }
  }

  /** The greatest share of the model's capacity over the dimensions. */
  #share(amount: PlacementRequest['demand']): number {
    const shares = mapVector((d) => (this.#total[d] === 0 ? 0 : amount[d] / this.#total[d]));
    return Math.max(shares.processing, shares.memory, shares.storage, shares.network);
  }
}
