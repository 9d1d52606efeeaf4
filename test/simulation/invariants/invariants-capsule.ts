import { differencesOf } from '../../../lib/failover/replay.ts';
import type { Capsule } from '../../../lib/schemas/capsule.ts';
import { capsuleOf } from '../../../lib/services/recovery/capsule-view.ts';
import { replayCapsule } from '../../../lib/services/recovery/replay.ts';
import { decodeParts } from '../../../lib/store/recovery/capsules.ts';
import type { RecoveryRecord } from '../../../lib/store/recovery/recoveries.ts';
import type { Item } from '../../../lib/store/table/attributes.ts';
import type { State } from '../world/state.ts';

const PREFIX = 'CAP#';

/** What the capsules of a history were worth. */
export interface Capsules {
  /** Recoveries that decided something. */
  readonly recoveries: number;
  /** Capsules that replay to identical decisions; and of those, those with nothing missing. */
  readonly replayed: number;
  readonly whole: number;
  readonly faults: readonly string[];
}

/** 16: every capsule replays to identical decisions, and they are those that the audit tells of. */
export const judgeCapsules = (
  state: State,
  items: readonly Item[],
  /** Recoveries whose audit may be lost in part. */
  lost: ReadonlySet<string>,
): Capsules => {
  const kept = new Map<string, Item[]>();
  for (const item of items) {
    const pk = item['pk']?.S ?? '';
    if (pk.startsWith(PREFIX)) kept.set(pk, [...(kept.get(pk) ?? []), fromTheWire(item)]);
  }
  const faults: string[] = [];
  let replayed = 0;
  let whole = 0;
  for (const recovery of state.recoveries.values()) {
    const own = kept.get(`${PREFIX}${recovery.id}`) ?? [];
    kept.delete(`${PREFIX}${recovery.id}`);
    const capsule = capsuleOf(recovery, decodeParts(own));
    if (capsule.steps.length === 0) continue;
    const found = [
      ...replayFaults(capsule),
      ...recordFaults(capsule, recovery),
      ...(lost.has(recovery.id) ? [] : flipFaults(capsule, state)),
    ];
    faults.push(...found.map((what) => `capsule of ${recovery.id}: ${what}`));
    if (found.length > 0) continue;
    replayed += 1;
    if (capsule.missing.length === 0) whole += 1;
  }
  faults.push(...[...kept.keys()].map((pk) => `${pk} is the capsule of no recovery`));
  return { recoveries: state.recoveries.size, replayed, whole, faults };
};

/** Bytes are base64 there. */
const fromTheWire = (item: Item): Item => ({
  ...item,
  data: { B: Buffer.from(String(item['data']?.B), 'base64') },
});

const replayFaults = (capsule: Capsule): readonly string[] =>
  replayCapsule(capsule).steps.flatMap(({ phase, differences }) =>
    differences.map(
      ({ at, recorded, replayed }) =>
        `${phase} decided ${at} ${JSON.stringify(recorded)}, replayed it is ${JSON.stringify(replayed)}`,
    ),
  );

/** What the recovery itself says that its first two phases decided. */
const recordFaults = ({ steps }: Capsule, { phases }: RecoveryRecord): readonly string[] =>
  steps.flatMap((step) => {
    if (step.phase !== 'Detect' && step.phase !== 'Decide') return [];
    const detail = phases.find(({ name }) => name === step.phase)?.detail ?? {};
    const { verdict, reason, kind, rule } = detail;
    const told = step.phase === 'Detect' ? { verdict, reason } : { kind, rule };
    const last =
      step.phase === 'Detect' ? step.decision : (step.looks.at(-1)?.decision ?? { kind: undefined });
    const kept =
      'verdict' in last
        ? { verdict: last.verdict, reason: last.reason }
        : { kind: last.kind, rule: 'rule' in last ? last.rule : undefined };
    return differencesOf(kept, told).map(({ at }) => `its ${step.phase} has another ${at} than the recovery`);
  });

/** The plan is the one that was carried out. */
const flipFaults = ({ recovery, steps }: Capsule, state: State): readonly string[] => {
  const step = steps.find(({ phase }) => phase === 'Failover');
  if (step?.phase !== 'Failover') return [];
  const flip = state.events.find(
    ({ type, body }) =>
      type === 'resource.flipped' && body['recovery'] === recovery && body['moves'] !== undefined,
  );
  if (flip === undefined) return ['it has a plan, and nothing was flipped'];
  const moves = flip.body['moves'] as readonly { readonly group: string; readonly to: string }[];
  const pending = flip.body['pending'] as readonly { readonly group: string; readonly reason: string }[];
  const told = [
    moves.map(({ group, to }) => [group, to]),
    pending.map(({ group, reason }) => [group, reason]),
  ];
  const kept = [step.decision.moves.map(([group, to]) => [group, to]), step.decision.unplaced];
  return differencesOf(kept, told).map(({ at }) => `its plan is not what was flipped, at ${at}`);
};
