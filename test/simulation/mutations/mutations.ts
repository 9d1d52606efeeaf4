import type { Breach } from '../invariants/invariants.ts';
import type { Mutate } from '../worker/store-line.ts';
import { CAPSULE_MUTATIONS } from './mutations-capsule.ts';
import { DATA_MUTATIONS } from './mutations-data.ts';
import { REBALANCE_MUTATIONS } from './mutations-rebalance.ts';
import { RECOVERY_MUTATIONS } from './mutations-recovery.ts';
import { RESTORE_MUTATIONS } from './mutations-restore.ts';
import { RETURN_MUTATIONS } from './mutations-return.ts';
import { AUDIT_MUTATIONS, RULE_MUTATIONS } from './mutations-rules.ts';
import { SEAL_MUTATIONS } from './mutations-seals.ts';
import { SIGNATURE_MUTATIONS } from './mutations-signatures.ts';
import { STORE_MUTATIONS, TOGETHER_MUTATIONS } from './mutations-store.ts';
import { TIDY_MUTATIONS } from './mutations-tidy.ts';

/** A bug, injected on the wires, and the number of the invariant whose checker must see it. */
export interface Mutation {
  readonly name: string;
  readonly invariant: number;
  /** Times the faults of the standard history under which it is looked for. */
  readonly faultFactor: number;
  /** Made anew for each history. */
  readonly mutate: () => Mutate;
}

export const MUTATIONS: readonly Mutation[] = [
  ...STORE_MUTATIONS,
  ...RECOVERY_MUTATIONS,
  ...RULE_MUTATIONS,
  ...AUDIT_MUTATIONS,
  ...TOGETHER_MUTATIONS,
  ...REBALANCE_MUTATIONS,
  ...TIDY_MUTATIONS,
  ...RETURN_MUTATIONS,
  ...CAPSULE_MUTATIONS,
  ...DATA_MUTATIONS,
  ...RESTORE_MUTATIONS,
  ...SEAL_MUTATIONS,
  ...SIGNATURE_MUTATIONS,
];

/** Every mutation must be seen within so many seeds. */
export const MUTATION_SEEDS_MAX = 60;

export interface Caught {
  readonly name: string;
  readonly invariant: number;
  readonly caught: boolean;
  /** Seeds that were run until it was seen, or all of them. */
  readonly seeds: number;
}

/** One history with a bug in it. */
export type RunMutated = (options: {
  readonly seed: number;
  readonly faultFactor: number;
  readonly mutate: Mutate;
}) => Promise<{ readonly breaches: readonly Breach[] }>;

/** Looks for a mutation in seeds 1, 2, 3 … until the checker of its own invariant turns red. */
export const hunt = async (run: RunMutated, mutation: Mutation, seedsMax: number): Promise<Caught> => {
  const { name, invariant, faultFactor } = mutation;
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const { breaches } = await run({ seed, faultFactor, mutate: mutation.mutate() });
    if (breaches.some((breach) => breach.invariant === invariant))
      return { name, invariant, caught: true, seeds: seed };
  }
  return { name, invariant, caught: false, seeds: seedsMax };
};
