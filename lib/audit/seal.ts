import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { AuditEvent } from '../schemas/audit.ts';
import { type Proof, SEAL_VERSION, type Seal, type SealBody } from '../schemas/seal.ts';
import { GENESIS, hashEvent } from './event.ts';
import { type Digest, leafHash, merkleRoot, rootFromPath } from './merkle.ts';
import { isSignedBy, type PublicSealKey } from './seal-key.ts';
import type { Span } from './window.ts';

/** A leaf is made of the event's own hash, which names its entity, revision and content. */
export const leafOf = ({ hash }: Pick<AuditEvent, 'hash'>): Digest => leafHash(Buffer.from(hash, 'hex'));

/** Leaves are in order of time, then entity, then revision. */
export const bySealOrder = (a: AuditEvent, b: AuditEvent): number =>
  a.at - b.at || (a.entity < b.entity ? -1 : a.entity > b.entity ? 1 : a.rev - b.rev);

/** Merkle root (RFC 9162) over the hashes of events in `bySealOrder`, hex. */
export const rootOf = (events: readonly AuditEvent[]): string =>
  merkleRoot(events.map(leafOf)).toString('hex');

/** What is signed: RFC 8785, UTF-8. Fields that are no part of the body are left out. */
export const sealedBytes = (body: SealBody): Buffer => {
  const { version, number, from, to, count, late, root, prev, key, next } = body;
  const fields = { version, number, from, to, count, late, root, prev, key };
  return Buffer.from(canonicalize(next === undefined ? fields : { ...fields, next }) ?? '');
};

export const hashSeal = (body: SealBody): string =>
  createHash('sha256').update(sealedBytes(body)).digest('hex');

/** The body of the seal after `last`, over `events` in seal order. */
export const nextSeal = (
  last: Seal | undefined,
  window: Span,
  events: readonly AuditEvent[],
  keys: Pick<SealBody, 'key' | 'next'>,
): SealBody => ({
  version: SEAL_VERSION,
  number: (last?.number ?? 0) + 1,
  ...window,
  count: events.length,
  late: events.filter(({ at }) => at < window.from).length,
  root: rootOf(events),
  prev: last?.hash ?? GENESIS,
  ...keys,
});

export const signedSeal = (body: SealBody, signature: Uint8Array): Seal => ({
  ...body,
  hash: hashSeal(body),
  signature: Buffer.from(signature).toString('base64url'),
});

/** The key that signs the seal after this one. */
export const successorOf = ({ key, next }: Pick<SealBody, 'key' | 'next'>): string => next ?? key;

export type SealFault = 'missing' | 'edited' | 'forged' | 'unlinked' | 'overlapping' | 'unknown-key';
export interface FoundSealFault {
  readonly seal: number;
  readonly fault: SealFault;
  readonly why: string;
}

/** What is wrong with a seal by itself: its hash, and the signature of the key it names. */
export const sealFaults = (
  seal: Seal,
  keys: ReadonlyMap<string, PublicSealKey>,
): readonly FoundSealFault[] => {
  const fault = (name: SealFault, why: string): FoundSealFault => ({ seal: seal.number, fault: name, why });
  const faults: FoundSealFault[] = [];
  if (hashSeal(seal) !== seal.hash) faults.push(fault('edited', 'its hash is not that of its content'));
  const key = keys.get(seal.key);
  if (key === undefined) faults.push(fault('unknown-key', `nobody knows its key ${seal.key}`));
  else if (!isSignedBy(key, sealedBytes(seal), seal.signature))
    faults.push(fault('forged', `key ${seal.key} did not sign it`));
  return faults;
};

/**
 * Checks seals in the order of their numbers, from number 1 or from the one after `after`: each by itself, that none
 * is missing, that each names the one before and begins where that ended, and that keys change only to the one that the
 * old key announced. Empty if all is well.
 */
export const verifySeals = (
  seals: readonly Seal[],
  keys: ReadonlyMap<string, PublicSealKey>,
  after?: Seal,
): readonly FoundSealFault[] => {
  const faults: FoundSealFault[] = [];
  let before = after;
  for (const seal of seals) {
    const { number } = seal;
    const expected = (before?.number ?? 0) + 1;
    for (let gone = expected; gone < number; gone += 1)
      faults.push({ seal: gone, fault: 'missing', why: `the next one there is ${number}` });
    faults.push(...sealFaults(seal, keys));
    if (number === expected) faults.push(...linkFaults(seal, before));
    before = seal;
  }
  return faults;
};

const linkFaults = (seal: Seal, before: Seal | undefined): readonly FoundSealFault[] => {
  const faults: FoundSealFault[] = [];
  const add = (fault: SealFault, why: string) => faults.push({ seal: seal.number, fault, why });
  if (seal.prev !== (before?.hash ?? GENESIS)) add('unlinked', 'it names another seal before it');
  if (seal.from !== (before?.to ?? 0) || seal.to < seal.from)
    add('overlapping', 'its time does not begin where the seal before it ended');
  if (before !== undefined && seal.key !== successorOf(before))
    add('forged', `the seal before it announced key ${successorOf(before)}`);
  return faults;
};

export type ProofFault = 'event-edited' | 'not-included' | SealFault;

/** Checks that a proof's event is in its seal and that the seal is signed. Empty if so. */
export const proofFaults = (
  { event, seal, index, path }: Proof,
  keys: ReadonlyMap<string, PublicSealKey>,
): readonly ProofFault[] => {
  const faults: ProofFault[] = sealFaults(seal, keys).map(({ fault }) => fault);
  if (hashEvent(event) !== event.hash) faults.push('event-edited');
  const beside = path.map((hash) => Buffer.from(hash, 'hex'));
  if (rootFromPath(leafOf(event), index, seal.count, beside)?.toString('hex') !== seal.root)
    faults.push('not-included');
  return faults;
};
