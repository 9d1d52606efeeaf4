import { EMPTY_CHAIN, entityOf, headOf, nextEvent, type Origin } from '../../audit/event.ts';
import { ProblemError } from '../../errors.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { thumbprintOf } from '../../schemas/signing.ts';
import type { KeyInput } from '../../schemas/tenant.ts';
import { isBreakGlass } from '../../security/break-glass.ts';
import { readPublicKey } from '../../security/public-key.ts';
import { principalWrites } from '../../store/access/principal-writes.ts';
import {
  decodePrincipal,
  holdersPage,
  type PrincipalRecord,
  readPrincipal,
  type SigningKeyRecord,
} from '../../store/access/principals.ts';
import { readLabscape } from '../../store/fleet/labscapes.ts';
import type { Store } from '../../store/store.ts';
import type { Write } from '../../store/table/write.ts';
import { originOf, type Requester } from '../origin.ts';
import { untilWon } from '../retry.ts';
import type { Runtime } from '../runtime.ts';

/** Good at once: the one in use and the one it is changed for. */
const KEYS_GOOD_MAX = 2;
/** Remembered with those that are over, so that none of them comes back; the events know all. */
const KEYS_KEPT_MAX = 16;

/** Whether signatures of it count at `now`, epoch ms. */
export const isGood = (
  { expiresAt, revokedAt }: Pick<SigningKeyRecord, 'expiresAt' | 'revokedAt'>,
  now: number,
): boolean => revokedAt === undefined && (expiresAt ?? Infinity) > now;

const invalid = (field: string, reason: string): ProblemError =>
  new ProblemError('invalid-input', `${field} ${reason}`, { errors: [{ field, reason }] });

/** Throws invalid-input where the text is no Ed25519 public key. */
export const parsePublicKey = (publicKey: string): string => {
  const x = readPublicKey(publicKey);
  if (x === undefined) throw invalid('publicKey', 'must be an Ed25519 public key, PEM or base64');
  return x;
};

const empty = (id: string): PrincipalRecord => ({
  ...{ id, status: 'active', reason: undefined, changedAt: undefined },
  ...{ keys: [], chain: EMPTY_CHAIN },
});

/** The keys with a new one, which those in use outlive by `overlapMs`; undefined if it is there already. */
function withKey(
  principal: PrincipalRecord,
  x: string,
  overlapMs: number,
  now: number,
): readonly SigningKeyRecord[] | undefined {
  const id = thumbprintOf(x);
  const known = principal.keys.find((key) => key.id === id);
  if (known !== undefined && isGood(known, now) && known.expiresAt === undefined) return undefined;
  if (known !== undefined)
    throw new ProblemError('conflict', `this key of ${principal.id} is over, or ends: make a new one`);
  const good = principal.keys.filter((key) => isGood(key, now));
  if (good.length >= KEYS_GOOD_MAX)
    throw new ProblemError(
      'conflict',
      `${principal.id} has ${KEYS_GOOD_MAX} good keys: revoke one, or wait until one is over`,
    );
  return keysWith(principal.keys, x, overlapMs, now);
}

/** The keys with a new one, by a word that was accepted. */
export const keysWith = (
  keys: readonly SigningKeyRecord[],
  x: string,
  overlapMs: number,
  now: number,
): readonly SigningKeyRecord[] => {
  const others = keys.map((key) =>
    isGood(key, now) ? { ...key, expiresAt: Math.min(key.expiresAt ?? Infinity, now + overlapMs) } : key,
  );
  return [{ id: thumbprintOf(x), x, addedAt: now }, ...others].slice(0, KEYS_KEPT_MAX);
};

const eventOf = (
  before: PrincipalRecord | undefined,
  id: string,
  origin: Origin,
  type: string,
  body: Readonly<Record<string, unknown>>,
): AuditEvent => nextEvent(entityOf.principal(id), before?.chain ?? EMPTY_CHAIN, origin, type, body);

/** What a labscape that joins with a public key adds to its transaction: a principal of its own with that key. */
export const firstKeyWrites = async (
  store: Store,
  labscape: string,
  x: string,
  origin: Origin,
): Promise<readonly Write[]> => {
  const id = `${labscape}.labscape`;
  const before = await readPrincipal(store, id);
  const event = eventOf(before, id, origin, 'principal.key-added', { key: thumbprintOf(x), publicKey: x });
  const keys = [{ id: thumbprintOf(x), x, addedAt: origin.at }];
  const after = { ...(before ?? empty(id)), keys, changedAt: origin.at, chain: headOf(event) };
  return principalWrites(store, before, after, event);
};

/**
 * Registers a key of an agent; keys in use end after the overlap. The same key again changes nothing. Raises
 * invalid-input, not-found (the labscape), conflict (too many keys, a key that is over), unavailable.
 */
export const addKey = async (
  runtime: Runtime,
  id: string,
  input: KeyInput,
  requester: Requester,
): Promise<PrincipalRecord> => {
  const [labscape = '', name] = id.split('.');
  if (name === undefined) throw invalid('principal', 'must be LABSCAPE.AGENT: only agents have keys here');
  if (isBreakGlass(id))
    throw invalid('principal', 'is a break-glass key: the stage configuration names those');
  const x = parsePublicKey(input.publicKey);
  if ((await readLabscape(runtime.store, labscape)) === undefined)
    throw new ProblemError('not-found', `no labscape ${labscape} has joined`);
  return change(runtime, id, (before) => {
    const now = runtime.clock.now();
    const keys = withKey(before ?? empty(id), x, input.overlapMs, now);
    const body = { key: thumbprintOf(x), publicKey: x, overlapMs: input.overlapMs };
    return (
      keys && {
        keys,
        event: eventOf(before, id, originOf(requester, runtime.clock), 'principal.key-added', body),
      }
    );
  });
};

/** Refuses a key from the next request on; twice changes nothing the second time. Raises not-found, unavailable. */
export const revokeKey = async (
  runtime: Runtime,
  id: string,
  key: string,
  reason: string,
  requester: Requester,
): Promise<PrincipalRecord> =>
  change(runtime, id, (before) => {
    const known = before?.keys.find((each) => each.id === key);
    if (before === undefined || known === undefined)
      throw new ProblemError('not-found', `principal ${id} has no key ${key}`);
    if (known.revokedAt !== undefined) return undefined;
    const event = eventOf(before, id, originOf(requester, runtime.clock), 'principal.key-revoked', {
      key,
      reason,
    });
    const keys = before.keys.map((each) => (each.id === key ? { ...each, revokedAt: event.at } : each));
    return { keys, event };
  });

type Change = { readonly keys: readonly SigningKeyRecord[]; readonly event: AuditEvent } | undefined;

async function change(
  runtime: Runtime,
  id: string,
  decide: (before: PrincipalRecord | undefined) => Change,
): Promise<PrincipalRecord> {
  return untilWon(runtime, `principal ${id}`, async () => {
    const before = await readPrincipal(runtime.store, id);
    const changed = decide(before);
    if (changed === undefined) return before ?? empty(id);
    const { keys, event } = changed;
    const after = { ...(before ?? empty(id)), keys, changedAt: event.at, chain: headOf(event) };
    const outcome = await runtime.store.transact(principalWrites(runtime.store, before, after, event));
    return outcome.kind === 'done' ? after : undefined;
  });
}

/** Principals of a labscape with keys, good or over, by name after `after`. */
export const listHolders = async (
  runtime: Runtime,
  labscape: string,
  limit: number,
  after: string | undefined,
): Promise<{ readonly items: readonly PrincipalRecord[]; readonly next: string | undefined }> => {
  const page = await holdersPage(runtime.store, labscape, limit, after);
  const items = page.items.map(decodePrincipal);
  return { items, next: page.next === undefined ? undefined : items.at(-1)?.id };
};
