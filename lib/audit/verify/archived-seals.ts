import type { Seal, SealBody } from '../../schemas/seal.ts';
import { hashSeal } from '../seal.ts';
import type { Finding } from './finding.ts';

const of = (number: number, fault: string, why: string): Finding => ({
  check: 'seals',
  item: `seal ${number}`,
  fault,
  why,
});

/** The seals of the table beside their copies in the archive, and beside the drafts that decided them. */
export function copyFindings(
  table: readonly Seal[],
  archive: readonly Seal[],
  drafts: readonly SealBody[],
): Finding[] {
  const inTable = new Map(table.map((seal) => [seal.number, seal]));
  const inArchive = new Map(archive.map((seal) => [seal.number, seal]));
  const last = Math.max(0, ...inTable.keys());
  const findings: Finding[] = [];
  for (const { number, hash, signature } of archive) {
    const seal = inTable.get(number);
    if (seal === undefined)
      findings.push(of(number, 'missing', 'the table has not got it, and the archive has'));
    else if (seal.hash !== hash || seal.signature !== signature)
      findings.push(of(number, 'replaced', 'the archive has another one of this number'));
  }
  // The copy is made right after the seal: only the last one may be without.
  for (const { number } of table)
    if (!inArchive.has(number) && number !== last)
      findings.push({ ...of(number, 'missing', 'the archive has no copy of it'), check: 'archive' });
  for (const draft of drafts) {
    const seal = inTable.get(draft.number);
    if (seal !== undefined && hashSeal(draft) !== seal.hash)
      findings.push(of(draft.number, 'replaced', 'another one was decided on'));
    // One that is decided on and not yet signed may be the next.
    if (seal === undefined && draft.number !== last + 1 && !inArchive.has(draft.number))
      findings.push(
        of(draft.number, 'missing', 'it was decided on, and is neither in the table nor the archive'),
      );
  }
  return findings;
}
