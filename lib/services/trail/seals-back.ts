import { type FoundSealFault, verifySeals } from '../../audit/seal.ts';
import { keysById } from '../../audit/seal-trust.ts';
import { Seal, SealKey } from '../../schemas/seal.ts';
import type { ObjectStore } from '../../store/objects.ts';
import { putSeal, putSealKey } from '../../store/seals.ts';
import type { Store } from '../../store/store.ts';
import { archiveKeys } from './seal-archive.ts';

/** The archive has seals that do not go on from those of the table: one of the two is another control plane's. */
export class ForeignSeals extends Error {
  override readonly name = 'ForeignSeals';

  constructor({ seal, fault, why }: FoundSealFault) {
    super(`seal ${seal} of the archive does not follow those of the table: ${fault}: ${why}`);
  }
}

/**
 * Seals that the archive has and the table has lost, after `last`, are put back: tables that were restored go on with their
 * chain, and do not begin another one. Returns the last seal there is. Raises ForeignSeals.
 */
export const takeSealsBack = async (
  store: Store,
  objects: ObjectStore,
  last: Seal | undefined,
  isOver: () => boolean,
): Promise<Seal | undefined> => {
  let end = last;
  for (;;) {
    const after = end === undefined ? undefined : archiveKeys.seal(end.number);
    const names = await objects.list(archiveKeys.seals, after);
    if (names.length === 0 || isOver()) return end;
    const keys = await archivedKeys(objects);
    if (end === undefined) for (const key of keys) await putSealKey(store, key);
    for (const name of names) {
      const seal = Seal.parse(await readJson(objects, name));
      const [fault] = verifySeals([seal], keysById(keys), end);
      if (fault !== undefined) throw new ForeignSeals(fault);
      await putSeal(store, seal);
      end = seal;
      if (isOver()) break;
    }
  }
};

const archivedKeys = async (objects: ObjectStore): Promise<readonly SealKey[]> => {
  const names = await objects.list(archiveKeys.keys);
  return Promise.all(names.map(async (name) => SealKey.parse(await readJson(objects, name))));
};

const readJson = async (objects: ObjectStore, name: string): Promise<unknown> =>
  JSON.parse(Buffer.from((await objects.get(name)) ?? []).toString('utf8'));
