import type { Seal } from '../schemas/seal.ts';
import { type FoundSealFault, verifySeals } from './seal.ts';
import { keyOf, type PublicSealKey } from './seal-key.ts';

/** Keys by id, from wherever they come: an id is the thumbprint of its key, so no other key can be passed off for it. */
export const keysById = (keys: Iterable<PublicSealKey>): ReadonlyMap<string, PublicSealKey> => {
  const known = new Map<string, PublicSealKey>();
  for (const { x } of keys) {
    const key = keyOf(x);
    known.set(key.id, key);
  }
  return known;
};

/**
 * Checks all seals from the first one, and with `trusted` also that they are the ones of its holder: one of them is
 * signed by it. The seals before that one are bound to it by their hashes, those after it by the keys announced.
 */
export const checkSeals = (
  seals: readonly Seal[],
  keys: Iterable<PublicSealKey>,
  trusted?: PublicSealKey,
): readonly FoundSealFault[] => {
  const known = keysById(trusted === undefined ? keys : [...keys, trusted]);
  const faults = verifySeals(seals, known);
  const last = seals.at(-1);
  if (trusted === undefined || last === undefined || seals.some(({ key }) => key === trusted.id))
    return faults;
  const why = `no seal is signed by the key that you trust, ${trusted.id}`;
  return [...faults, { seal: last.number, fault: 'forged', why }];
};
