import * as z from 'zod';
import { inclusionPath } from '../../audit/merkle.ts';
import { leafOf, rootOf } from '../../audit/seal.ts';
import { ProblemError } from '../../errors.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import type { Proof, Seal } from '../../schemas/seal.ts';
import { eventsAfter } from '../../store/events.ts';
import type { ObjectStore } from '../../store/objects.ts';
import { sealsAfter, sealsEndingAfter } from '../../store/seals.ts';
import type { Runtime } from '../runtime.ts';
import { SEALS_AFTER_MAX } from './late-events.ts';
import { readWindow } from './seal-archive.ts';

/** The number of the seal that was given last. */
export const SealPosition = z.strictObject({ after: z.int().min(0) });
type SealPosition = z.infer<typeof SealPosition>;

/** By number, oldest first; `next`: where the following page begins. */
export const listSeals = async (
  { store }: Pick<Runtime, 'store'>,
  limit: number,
  position: SealPosition = { after: 0 },
): Promise<{ readonly items: Seal[]; readonly next: SealPosition | undefined }> => {
  const items = [...(await sealsAfter(store, position.after, limit))];
  const last = items.at(-1);
  return { items, next: items.length < limit || last === undefined ? undefined : { after: last.number } };
};

/**
 * The event as it was sealed, with its way to the root, from the archive: the tables are only asked where to look.
 * Raises not-found where there is no such event, and not-found with what is missing where no seal holds it yet.
 */
export const proveEvent = async (
  { store }: Pick<Runtime, 'store'>,
  archive: ObjectStore,
  entity: string,
  rev: number,
): Promise<Proof> => {
  const [event] = await eventsAfter(store, entity, rev - 1, 1);
  if (event?.rev !== rev) throw new ProblemError('not-found', `there is no event ${entity}/${rev}`);
  for (const seal of await sealsEndingAfter(store, event.at, SEALS_AFTER_MAX)) {
    const covers = seal.from <= event.at;
    // After the seal of its time it can only be among the late events of another.
    if (!covers && seal.late === 0) continue;
    const proof = await proofIn(archive, seal, event);
    if (proof !== undefined) return proof;
  }
  throw new ProblemError('not-found', `no seal holds ${entity}/${rev} yet: it is sealed some minutes later`);
};

const proofIn = async (archive: ObjectStore, seal: Seal, event: AuditEvent): Promise<Proof | undefined> => {
  const events = await readWindow(archive, seal);
  if (events === undefined || rootOf(events) !== seal.root)
    throw new ProblemError('internal', `the archive does not hold what seal ${seal.number} sealed`);
  const index = events.findIndex(({ entity, rev }) => entity === event.entity && rev === event.rev);
  const sealed = events[index];
  if (sealed === undefined) return undefined;
  const path = inclusionPath(events.map(leafOf), index).map((hash) => hash.toString('hex'));
  return { event: sealed, seal, index, path };
};
