import type * as z from 'zod';
import { headOf } from '../../audit/event.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { type LabscapeInput, type LabscapePatch, Policy } from '../../schemas/labscape.ts';
import type { FillState, LabscapeRecord } from '../../store/fleet/labscapes.ts';

/** Fills that come from elsewhere to n+1 are lowered before any is raised: from a share of one. */
const fillStateOf = ({ fill }: Policy, before: FillState | undefined): FillState | undefined =>
  fill === 'n+1' ? (before ?? { rev: 1, share: 1 }) : undefined;

/** Drops keys that are present but undefined, which a spread would write over what stands. */
export const given = <T extends object>(patch: T): Partial<T> =>
  Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined)) as Partial<T>;

/** A labscape as it joins by `event`. */
export const joinedLabscape = (
  input: z.output<typeof LabscapeInput>,
  protocolVersion: string,
  event: AuditEvent,
): LabscapeRecord => ({
  id: input.id,
  name: input.name ?? input.id,
  protocolVersion,
  protocolVersions: input.protocolVersions,
  publicKey: input.publicKey,
  endpoint: input.endpoint,
  weight: input.weight,
  residency: input.residency,
  policy: input.policy,
  fills: fillStateOf(input.policy, undefined),
  maintenance: false,
  cfg: 1,
  chain: headOf(event),
  joinedAt: event.at,
});

/** A labscape after a patch, its place in the audit not yet moved; what is wrong if its policy would not hold together. */
export const patchedLabscape = (
  before: LabscapeRecord,
  patch: z.output<typeof LabscapePatch>,
): LabscapeRecord | z.ZodError => {
  const policy = Policy.safeParse({
    ...before.policy,
    ...given(patch.policy ?? {}),
    rebalance: { ...before.policy.rebalance, ...given(patch.policy?.rebalance ?? {}) },
    drills: { ...before.policy.drills, ...given(patch.policy?.drills ?? {}) },
  });
  if (!policy.success) return policy.error;
  return {
    ...before,
    name: patch.name ?? before.name,
    weight: patch.weight ?? before.weight,
    residency: patch.residency ?? before.residency,
    maintenance: patch.maintenance ?? before.maintenance,
    policy: policy.data,
    fills: fillStateOf(policy.data, before.fills),
    cfg: before.cfg + 1,
  };
};
