import { bySealOrder, nextSeal, rootOf, sealedBytes, signedSeal, successorOf } from '../../audit/seal.ts';
import { keyOf, type PublicSealKey } from '../../audit/seal-key.ts';
import { dueSpan, type Span, windowOf } from '../../audit/window.ts';
import type { Clock } from '../../clock.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Seal, SealBody } from '../../schemas/seal.ts';
import type { ObjectStore } from '../../store/objects.ts';
import {
  eventsOfSpan,
  lastSeal,
  putDraft,
  putSeal,
  putSealKey,
  readDraft,
  sealsAfter,
} from '../../store/seals.ts';
import type { Store } from '../../store/store.ts';
import { lateEvents } from './late-events.ts';
import { archiveKeys, jsonBytes, putOnce, readWindow, windowText } from './seal-archive.ts';
import { takeSealsBack } from './seals-back.ts';

/** Who signs: KMS, or what stands for it. */
export interface SealSigner {
  /** The keys it signs with, oldest first; the last one is to sign from now on. */
  keys(): Promise<readonly PublicSealKey[]>;
  /** Ed25519, 64 bytes. */
  sign(key: string, message: Uint8Array): Promise<Uint8Array>;
}

export interface SealerParts {
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly signer: SealSigner;
  readonly clock: Clock;
  /** How long nobody may delete what is archived, ms. */
  readonly retainMs: number;
  /** Most events of one seal; SEAL_EVENTS_MAX unless given. */
  readonly eventsMax?: number;
}

/** Events of one seal; a busier window is cut where it has so many. Bounds memory and the size of an object. */
export const SEAL_EVENTS_MAX = 20_000;
/** Before the first seal, events are looked for this far back. */
const FIRST_MS = 366 * 86_400_000;
/** Seals of one run, and how long it goes on, ms: what is left over is the next one's. */
const SEALS_PER_RUN = 50;
const RUN_MS = 30_000;

/** The keys at hand do not include the one that must sign next: whoever looks after them has to bring it back. */
export class SealKeyGone extends Error {
  override readonly name = 'SealKeyGone';
}
/** What was drafted is not what a sealer would have drafted: somebody else wrote it. */
export class ForeignDraft extends Error {
  override readonly name = 'ForeignDraft';
}

export interface Sealed {
  readonly seals: number;
  readonly events: number;
  readonly late: number;
}

/** Seals all that is due, window by window. Two at once make one chain: a number is decided by whoever drafts it first. */
export const sealDue = async (parts: SealerParts): Promise<Sealed> => {
  const untilMs = parts.clock.monotonicMs() + RUN_MS;
  const sealed = { seals: 0, events: 0, late: 0 };
  const isOver = (): boolean => parts.clock.monotonicMs() >= untilMs;
  let last = await takeSealsBack(parts.store, parts.objects, await lastSeal(parts.store), isOver);
  // The run before may have ended between the seal and its copy.
  if (last !== undefined) await archiveSeal(parts, last);
  while (sealed.seals < SEALS_PER_RUN && !isOver()) {
    const seal = await sealNext(parts, last);
    if (seal === undefined) break;
    sealed.seals += 1;
    sealed.events += seal.count;
    sealed.late += seal.late;
    last = seal;
  }
  return sealed;
};

/** The seal after `last`, or undefined if nothing is due. */
const sealNext = async (parts: SealerParts, last: Seal | undefined): Promise<Seal | undefined> => {
  const number = (last?.number ?? 0) + 1;
  const draft = (await readDraft(parts.store, number)) ?? (await draftNext(parts, last));
  if (draft === undefined) return undefined;
  await checkDraft(parts, last, draft);
  const seal = signedSeal(draft, await parts.signer.sign(draft.key, sealedBytes(draft)));
  const first = await putSeal(parts.store, seal);
  // Another sealer was quicker: what it wrote is the seal.
  const [stored] = first ? [seal] : await sealsAfter(parts.store, last?.number ?? 0, 1);
  if (stored !== undefined) await archiveSeal(parts, stored);
  return stored;
};

const draftNext = async (parts: SealerParts, last: Seal | undefined): Promise<SealBody | undefined> => {
  const { store, objects, clock } = parts;
  const gathered = await gather(parts, last);
  if (gathered === undefined) return undefined;
  const keys = await keysOf(parts, last);
  const { window, events } = gathered;
  const body = nextSeal(last, window, events, keys);
  // First the events, then the word that they are sealed: a draft never speaks of what is not kept.
  const archived = (): Uint8Array => Buffer.from(windowText(events));
  await putOnce(objects, archiveKeys.window(body), archived, clock.now() + parts.retainMs);
  return (await putDraft(store, body)) ? body : readDraft(store, body.number);
};

/** The next window and its events with late ones, in seal order. */
const gather = async (
  { store, objects, clock, eventsMax = SEAL_EVENTS_MAX }: SealerParts,
  last: Seal | undefined,
): Promise<{ window: Span; events: readonly AuditEvent[] } | undefined> => {
  const due = dueSpan(last?.to ?? 0, clock.now());
  if (due === undefined) return undefined;
  const from = last?.to ?? Math.max(0, due.to - FIRST_MS);
  const [first] = await eventsOfSpan(store, { from, to: due.to }, 1);
  const window = windowOf(due, first?.at);
  if (window === undefined) return undefined;
  const read = { from: first?.at ?? window.to, to: window.to };
  const found = await eventsOfSpan(store, read, eventsMax + 1);
  const cut = cutAt(window, found, eventsMax);
  const own = found.filter(({ at }) => at < cut.to);
  const late = last === undefined ? [] : await lateEvents(store, objects, cut);
  return { window: cut, events: [...late, ...own].sort(bySealOrder) };
};

/** A window with more events than one seal takes ends before the first that is too many. */
const cutAt = (window: Span, found: readonly AuditEvent[], most: number): Span => {
  const excess = found[most];
  if (excess === undefined) return window;
  if (excess.at === found[0]?.at) throw new RangeError(`more than ${most} events of one millisecond`);
  return { from: window.from, to: excess.at };
};

/** Who signs now, and who from then on if that changes. */
const keysOf = async (
  { store, signer, objects, clock, retainMs }: SealerParts,
  last: Seal | undefined,
): Promise<Pick<SealBody, 'key' | 'next'>> => {
  const known = await signer.keys();
  const newest = known.at(-1);
  const key = last === undefined ? newest?.id : successorOf(last);
  if (newest === undefined || key === undefined || !known.some(({ id }) => id === key))
    throw new SealKeyGone(`the next seal must be signed by ${key ?? 'a key'}, which is not at hand`);
  const number = (last?.number ?? 0) + 1;
  const changes = newest.id !== key;
  const added = { ...keyOf(newest.x), since: changes ? number + 1 : number };
  if (changes || last === undefined) {
    await putSealKey(store, added);
    await putOnce(objects, archiveKeys.key(added), () => jsonBytes(added), clock.now() + retainMs);
  }
  return changes ? { key, next: newest.id } : { key };
};

/** A draft may be another sealer's that was stopped; it is signed only if it is what any sealer would have written. */
const checkDraft = async (
  { objects, clock }: SealerParts,
  last: Seal | undefined,
  draft: SealBody,
): Promise<void> => {
  const events = await readWindow(objects, draft);
  const due = dueSpan(draft.from, clock.now());
  const expected = events && nextSeal(last, draft, events, draft);
  const inTime = due !== undefined && draft.to <= due.to && (events ?? []).every(({ at }) => at < draft.to);
  const rightKey = last === undefined || draft.key === successorOf(last);
  const follows = draft.from === (last?.to ?? 0) && draft.prev === expected?.prev;
  const complete = expected?.root === draft.root && rootOf(events ?? []) === draft.root;
  const counted = expected?.count === draft.count && expected.late === draft.late;
  if (!(inTime && rightKey && follows && complete && counted))
    throw new ForeignDraft(`draft ${draft.number} is not what a sealer would have written`);
};

const archiveSeal = ({ objects, clock, retainMs }: SealerParts, seal: Seal): Promise<void> =>
  putOnce(objects, archiveKeys.seal(seal.number), () => jsonBytes(seal), clock.now() + retainMs);
