/** Something that can be taken to meet a need, at a cost greater than 0. */
export interface CoverItem {
  readonly id: string;
  readonly cost: number;
  /** What it makes, by dimension of the need. */
  readonly makes: readonly number[];
}

/** What a cover must reach beside its need, and cannot be added up: more items never do worse. */
export interface Beyond<T> {
  readonly reached: (taken: readonly T[]) => boolean;
  /** What an item does for it: 0 is nothing, 1 a whole dimension of a need. */
  readonly use: (item: T) => number;
}

const NOTHING_BEYOND: Beyond<unknown> = { reached: () => true, use: () => 0 };

/** Nodes of the search after which the best cover found so far stands: about 2 ms. */
const NODES_MAX = 4_000;
/** Costs are sums of fractions: what differs by less is equal. */
const EPSILON = 1e-9;

const met = (left: readonly number[]): boolean => left.every((amount) => amount <= 0);

const after = (left: readonly number[], item: CoverItem): number[] =>
  left.map((amount, d) => amount - (item.makes[d] ?? 0));

/** The share of all needs that an item meets, added up over the dimensions. */
const use = (item: CoverItem, need: readonly number[]): number =>
  need.reduce((total, amount, d) => total + (amount > 0 ? Math.min(1, (item.makes[d] ?? 0) / amount) : 0), 0);

/** Drops what the others can do without, the dearest first, so that none can be left out. */
const minimal = <T extends CoverItem>(
  cover: readonly T[],
  need: readonly number[],
  beyond: Beyond<T>,
): readonly T[] => {
  let kept = [...cover];
  for (const item of cover.toSorted((a, b) => b.cost - a.cost || (a.id < b.id ? -1 : 1))) {
    const others = kept.filter((other) => other !== item);
    if (met(others.reduce<readonly number[]>(after, need)) && beyond.reached(others)) kept = others;
  }
  return kept;
};

const costOf = (cover: readonly CoverItem[]): number => cover.reduce((total, { cost }) => total + cost, 0);

/** Per position: what all items from there on make, and the least cost of a unit of each dimension among them. */
const suffixesOf = (items: readonly CoverItem[], dimensions: number) => {
  const makes = [new Array<number>(dimensions).fill(0)];
  const unit = [new Array<number>(dimensions).fill(Number.POSITIVE_INFINITY)];
  for (const item of items.toReversed()) {
    const [made = [], price = []] = [makes[0], unit[0]];
    makes.unshift(made.map((amount, d) => amount + (item.makes[d] ?? 0)));
    unit.unshift(price.map((least, d) => Math.min(least, item.cost / (item.makes[d] ?? 0))));
  }
  return { makes, unit };
};

/**
 * The cheapest set of items that meets a need in every dimension, and what is beyond it; undefined when all of them together do not. Branch
 * and bound from a greedy cover: most use for its cost first, the smaller id at a tie; of equal covers the first one
 * met stands. Exact up to NODES_MAX nodes of the search, after that the best cover so far; no item of it can ever be
 * left out.
 */
export const cheapestCover = <T extends CoverItem>(
  all: readonly T[],
  need: readonly number[],
  beyond: Beyond<T> = NOTHING_BEYOND,
): readonly T[] | undefined => {
  const useOf = (item: T): number => use(item, need) + beyond.use(item);
  const items = all
    .filter((item) => useOf(item) > 0)
    .map((item) => ({ item, price: item.cost / useOf(item) }))
    .sort((a, b) => a.price - b.price || (a.item.id < b.item.id ? -1 : 1))
    .map(({ item }) => item);
  if (!met(items.reduce<readonly number[]>(after, need)) || !beyond.reached(items)) return undefined;
  const suffixes = suffixesOf(items, need.length);
  let best = minimal(items, need, beyond);
  let bestCost = costOf(best);
  let nodes = 0;
  const least = (at: number, left: readonly number[]): number =>
    Math.max(0, ...left.map((amount, d) => (amount > 0 ? amount * (suffixes.unit[at]?.[d] ?? 0) : 0)));
  const reaches = (at: number, left: readonly number[]): boolean =>
    left.every((amount, d) => amount <= (suffixes.makes[at]?.[d] ?? 0));
  const reachesBeyond = (at: number, taken: readonly T[]): boolean =>
    beyond === NOTHING_BEYOND || beyond.reached([...taken, ...items.slice(at)]);
  const search = (at: number, left: readonly number[], taken: readonly T[], cost: number): void => {
    nodes += 1;
    if (met(left) && beyond.reached(taken)) {
      if (cost < bestCost - EPSILON) [best, bestCost] = [taken, cost];
      return;
    }
    const item = items[at];
    if (item === undefined || nodes > NODES_MAX || !reaches(at, left)) return;
    if (!reachesBeyond(at, taken)) return;
    if (cost + least(at, left) >= bestCost - EPSILON) return;
    search(at + 1, after(left, item), [...taken, item], cost + item.cost);
    search(at + 1, left, taken, cost);
  };
  search(0, need, [], 0);
  return minimal(best, need, beyond);
};
