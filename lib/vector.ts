import { DIMENSIONS, type Dimension, type Vector } from './schemas/common.ts';

export const ZERO: Vector = { processing: 0, memory: 0, storage: 0, network: 0 };

export const mapVector = (f: (dimension: Dimension) => number): Vector => ({
  processing: f('processing'),
  memory: f('memory'),
  storage: f('storage'),
  network: f('network'),
});

export const add = (a: Vector, b: Vector): Vector => ({
  processing: a.processing + b.processing,
  memory: a.memory + b.memory,
  storage: a.storage + b.storage,
  network: a.network + b.network,
});

export const subtract = (a: Vector, b: Vector): Vector => ({
  processing: a.processing - b.processing,
  memory: a.memory - b.memory,
  storage: a.storage - b.storage,
  network: a.network - b.network,
});

/** Of none: zero. */
export const sum = (vectors: Iterable<Vector>): Vector => {
  let total = ZERO;
  for (const vector of vectors) total = add(total, vector);
  return total;
};

/** The smaller of the two in each dimension. */
export const lesser = (a: Vector, b: Vector): Vector => mapVector((d) => Math.min(a[d], b[d]));

/** True when every dimension of `a` is at most that of `b`. */
export const within = (a: Vector, b: Vector): boolean =>
  a.processing <= b.processing && a.memory <= b.memory && a.storage <= b.storage && a.network <= b.network;

export const equals = (a: Vector, b: Vector): boolean => within(a, b) && within(b, a);

export const isZero = (a: Vector): boolean => equals(a, ZERO);

/** The first dimension in which `a` passes `b`. */
export const firstOver = (a: Vector, b: Vector): Dimension | undefined => DIMENSIONS.find((d) => a[d] > b[d]);

/** Greatest share over the dimensions (dominant share, Ghodsi et al., NSDI 2011); a zero bound counts as full. */
export const dominantShare = (used: Vector, bound: Vector): number => {
  const processing = used.processing === 0 ? 0 : used.processing / bound.processing;
  const memory = used.memory === 0 ? 0 : used.memory / bound.memory;
  const storage = used.storage === 0 ? 0 : used.storage / bound.storage;
  const network = used.network === 0 ? 0 : used.network / bound.network;
  return Math.max(processing, memory, storage, network);
};

/** Least share over the dimensions that `whole` uses; 1 for nothing at all. */
export const leastShare = (part: Vector, whole: Vector): number => {
  const shares = DIMENSIONS.filter((d) => whole[d] > 0).map((d) => part[d] / whole[d]);
  return shares.length === 0 ? 1 : Math.min(...shares);
};
