import { isEnded } from '../../failover/recovery-status.ts';
import { type Capsule, DECIDING_PHASES, type DecidingPhase } from '../../schemas/capsule.ts';
import { type CapsulePart, readCapsuleParts } from '../../store/recovery/capsules.ts';
import type { RecoveryRecord } from '../../store/recovery/recoveries.ts';
import type { Runtime } from '../runtime.ts';
import { getRecovery } from './recovery-view.ts';

/** An answer of a function may have 6 MB; characters, beyond which the fleet that a plan saw is left out. */
const ANSWER_LENGTH_MAX = 5_000_000;

const whyMissing = ({ status }: RecoveryRecord): string =>
  isEnded(status)
    ? 'the function that decided it ended, or lost its turn, before it wrote it down'
    : 'the recovery is under way: what was decided is written while it waits, and after the flip';

/** The capsule of the parts that were kept; it says what is missing of it, and why. Pure. */
export const capsuleOf = (recovery: RecoveryRecord, parts: readonly CapsulePart[]): Capsule => {
  const kept = parts.flatMap(({ steps }) => steps);
  const steps = DECIDING_PHASES.flatMap((phase) => kept.find((step) => step.phase === phase) ?? []);
  const said = parts.flatMap(({ missing }) => missing);
  const known = new Set<DecidingPhase>([...steps, ...said].map(({ phase }) => phase));
  const decided = DECIDING_PHASES.filter((phase) => recovery.phases.some(({ name }) => name === phase));
  const why = whyMissing(recovery);
  const unwritten = decided.filter((phase) => !known.has(phase)).map((phase) => ({ phase, why }));
  return { v: 1, recovery: recovery.id, steps, missing: [...said, ...unwritten] };
};

/** Small enough for an answer: without the plan of a fleet that is too large, which it says. Pure. */
export const answerable = (capsule: Capsule, lengthMax = ANSWER_LENGTH_MAX): Capsule => {
  const { length } = JSON.stringify(capsule);
  if (length <= lengthMax) return capsule;
  const why = `the capsule has ${length} characters, an answer ${lengthMax} at most: replay it from the data folder, or read CAP#${capsule.recovery} from the table`;
  const steps = capsule.steps.filter(({ phase }) => phase !== 'Failover');
  return { ...capsule, steps, missing: [...capsule.missing, { phase: 'Failover', why }] };
};

/** Raises not-found. */
export const getCapsule = async (runtime: Runtime, id: string): Promise<Capsule> => {
  const [recovery, parts] = await Promise.all([
    getRecovery(runtime, id),
    readCapsuleParts(runtime.store, id),
  ]);
  return capsuleOf(recovery, parts);
};
