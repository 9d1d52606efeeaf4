/** How many letters differ between what was typed and a name: put in, left out, changed, or two that changed places. */
function distance(typed: string, name: string): number {
  const rows = Array.from({ length: typed.length + 1 }, (_, i) => [
    i,
    ...Array.from({ length: name.length }, (_, j) => (i === 0 ? j + 1 : 0)),
  ]);
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= typed.length; i++)
    for (let j = 1; j <= name.length; j++) {
      const same = typed[i - 1] === name[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && typed[i - 1] === name[j - 2] && typed[i - 2] === name[j - 1];
      const least = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + same);
      const row = rows[i];
      if (row !== undefined) row[j] = swapped ? Math.min(least, at(i - 2, j - 2) + 1) : least;
    }
  return at(typed.length, name.length);
}

/** Longer words are no typing mistake of ours, and take long. */
const LETTERS_MAX = 40;

/** The name that was most likely meant; undefined: none is near. Of two as near, the first. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  if (typed.length > LETTERS_MAX) return undefined;
  // Among short words two letters make another word of ours.
  const most = typed.length < 6 ? 1 : 2;
  const ranked = names
    .map((name) => ({ name, apart: distance(typed, name) }))
    .sort((a, b) => a.apart - b.apart);
  const [best] = ranked;
  return best !== undefined && best.apart <= most ? best.name : undefined;
}
