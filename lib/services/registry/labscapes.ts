import type * as z from 'zod';
import { EMPTY_CHAIN, entityOf, nextEvent } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import { negotiate, OWN_VERSIONS } from '../../protocol/negotiate.ts';
import type { Labscape, LabscapeInput, LabscapePatch } from '../../schemas/labscape.ts';
import { editLabscapeWrites, joinWrites } from '../../store/fleet/fleet-writes.ts';
import { type LabscapeRecord, readLabscape } from '../../store/fleet/labscapes.ts';
import { originOf, type Requester } from '../origin.ts';
import { followFills } from '../reserve/fills.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { given, joinedLabscape, patchedLabscape } from './labscape-record.ts';
import { firstKeyWrites, parsePublicKey } from './signing-keys.ts';

export const labscapeView = (labscape: LabscapeRecord): Labscape => ({
  id: labscape.id,
  name: labscape.name,
  protocolVersion: labscape.protocolVersion,
  protocolVersions: [...labscape.protocolVersions],
  ...(labscape.publicKey === undefined ? {} : { publicKey: labscape.publicKey }),
  ...(labscape.endpoint === undefined ? {} : { endpoint: labscape.endpoint }),
  weight: labscape.weight,
  ...(labscape.residency === undefined ? {} : { residency: labscape.residency }),
  policy: labscape.policy,
  maintenance: labscape.maintenance,
  cfg: labscape.cfg,
  joinedAt: labscape.joinedAt,
});

/** Raises already-exists, version-incompatible, invalid-input (no key). With a public key it is a principal, too. */
export const joinLabscape = async (
  runtime: Runtime,
  input: z.infer<typeof LabscapeInput>,
  requester: Requester,
): Promise<Labscape> => {
  const protocolVersion = negotiate(input.protocolVersions);
  if (protocolVersion === undefined) {
    throw new ProblemError(
      'version-incompatible',
      `labscape ${input.id} speaks ${input.protocolVersions.join(', ')}, this control plane ${OWN_VERSIONS.join(', ')}: no major version meets`,
      { errors: [{ field: 'protocolVersions', reason: `none meets ${OWN_VERSIONS.join(', ')}` }] },
    );
  }
  const x = input.publicKey === undefined ? undefined : parsePublicKey(input.publicKey);
  const origin = originOf(requester, runtime.clock);
  const event = nextEvent(entityOf.labscape(input.id), EMPTY_CHAIN, origin, 'labscape.joined', {
    ...input,
    protocolVersion,
  });
  const record = joinedLabscape(input, protocolVersion, event);
  const outcome = await runtime.store.transact([
    ...joinWrites(runtime.store, record, event),
    ...(x === undefined ? [] : await firstKeyWrites(runtime.store, input.id, x, origin)),
  ]);
  if (outcome.kind !== 'done') {
    throw new ProblemError(
      'already-exists',
      `labscape ${input.id} has joined already: change it with PATCH /labscapes/${input.id}`,
    );
  }
  return labscapeView(record);
};

/** As it stands now, consistently read. Raises not-found. */
export const getLabscape = async (runtime: Runtime, id: string): Promise<LabscapeRecord> => {
  const labscape = await readLabscape(runtime.store, id);
  if (labscape === undefined) throw new ProblemError('not-found', `no labscape ${id} has joined`);
  return labscape;
};

/** The refusal of an If-Match that is not `cfg`, the revision that stands. */
export const staleConfiguration = (what: string, cfg: number): ProblemError =>
  new ProblemError(
    'stale-precondition',
    `${what} has changed since: read it again, it is at ETag "${cfg}" now`,
    {
      errors: [{ field: 'If-Match', reason: `is not "${cfg}"` }],
    },
  );

const residencyStands = (id: string, residency: string): ProblemError =>
  new ProblemError(
    'conflict',
    `labscape ${id} keeps its data in ${residency}, and work was placed for that: join what keeps it elsewhere under another id`,
    { errors: [{ field: 'residency', reason: `is ${residency} and cannot be changed` }] },
  );

/** Raises not-found, stale-precondition, invalid-input, conflict (another residency). */
export const editLabscape = async (
  runtime: Runtime,
  id: string,
  patch: z.infer<typeof LabscapePatch>,
  ifMatch: number | undefined,
  requester: Requester,
): Promise<Labscape> =>
  untilWon(runtime, `labscape ${id}`, () => tryEdit(runtime, id, patch, ifMatch, requester));

const tryEdit = async (
  runtime: Runtime,
  id: string,
  patch: z.infer<typeof LabscapePatch>,
  ifMatch: number | undefined,
  requester: Requester,
): Promise<Labscape | undefined> => {
  const before = await getLabscape(runtime, id);
  if (ifMatch !== undefined && ifMatch !== before.cfg) throw staleConfiguration(`labscape ${id}`, before.cfg);
  const residency = patch.residency ?? before.residency;
  if (before.residency !== undefined && residency !== before.residency)
    throw residencyStands(id, before.residency);
  const after = patchedLabscape(before, patch);
  if ('issues' in after) {
    throw new ProblemError('invalid-input', 'the policy would not hold together', {
      errors: after.issues.map((issue) => ({
        field: ['policy', ...issue.path].join('.'),
        reason: issue.message,
      })),
    });
  }
  const event = nextEvent(
    entityOf.labscape(id),
    before.chain,
    originOf(requester, runtime.clock),
    'labscape.edited',
    given(patch),
  );
  const outcome = await runtime.store.transact(editLabscapeWrites(runtime.store, before, after, event));
  if (outcome.kind !== 'done') return undefined;
  if (after.policy.fill !== before.policy.fill) await followFills(runtime, id, requester);
  return labscapeView(after);
};
