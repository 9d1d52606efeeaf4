import type { SeedResult } from './run-seed.ts';
import { FAULT_KINDS, type FaultKind } from './world/faults.ts';

/** What a run must have on average to have tested anything, and from how many seeds on no kind may be missing. */
const STEPS_MIN = 200;
const FAULTS_MIN = 10;
const SEEDS_FOR_ALL_KINDS = 100;

/** Sums over many histories. */
export class Tally {
  seeds = 0;
  steps = 0;
  violations = 0;
  recoveries = 0;
  /** Capsules that replay to identical decisions, and those of them with nothing missing. */
  capsules = 0;
  capsulesWhole = 0;
  readonly faults: Record<FaultKind, number>;

  constructor() {
    this.faults = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])) as Record<FaultKind, number>;
  }

  add({ steps, faults, breaches, capsules }: SeedResult): void {
    this.seeds += 1;
    this.steps += steps;
    this.violations += breaches.length;
    this.recoveries += capsules.recoveries;
    this.capsules += capsules.replayed;
    this.capsulesWhole += capsules.whole;
    for (const [kind, count] of faults) this.faults[kind] += count;
  }

  get stepsPerSeed(): number {
    return this.steps / Math.max(1, this.seeds);
  }

  get faultsPerSeed(): number {
    return Object.values(this.faults).reduce((a, b) => a + b, 0) / Math.max(1, this.seeds);
  }

  /** Why this run says less than it seems to; nothing when it does. */
  weaknesses(): readonly string[] {
    const missing = FAULT_KINDS.filter((kind) => this.faults[kind] === 0);
    return [
      ...(this.seeds >= SEEDS_FOR_ALL_KINDS && missing.length > 0
        ? [`no fault of kind ${missing.join(', ')} struck`]
        : []),
      ...(this.stepsPerSeed < STEPS_MIN ? [`fewer than ${STEPS_MIN} steps a seed`] : []),
      ...(this.faultsPerSeed < FAULTS_MIN ? [`fewer than ${FAULTS_MIN} faults a seed`] : []),
    ];
  }
}
