/** Written as ranges: `1,5-9`. */
export const parseOrdinals = (text: string): ReadonlySet<number> => {
  const ordinals = new Set<number>();
  for (const part of text.split(',').filter((one) => one !== '')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) throw new RangeError(`"${part}" is no number and no range of numbers`);
    const first = Number(match[1]);
    for (let one = first; one <= Number(match[2] ?? first); one += 1) ordinals.add(one);
  }
  return ordinals;
};

export const formatOrdinals = (ordinals: Iterable<number>): string => {
  const ranges: [first: number, last: number][] = [];
  for (const one of [...ordinals].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range !== undefined && range[1] >= one - 1) range[1] = one;
    else ranges.push([one, one]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
};
