import { createHash } from 'node:crypto';

/** 32 bytes each. */
export type Digest = Buffer;

/** Leaves and nodes are hashed apart, or an inner node could be passed off as a leaf (RFC 9162, 2.1.1). */
const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

const sha256 = (...parts: readonly Uint8Array[]): Digest => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** MTH of a single entry, RFC 9162 2.1.1: SHA-256(0x00 ‖ data). */
export const leafHash = (data: Uint8Array): Digest => sha256(LEAF, data);
const nodeHash = (left: Uint8Array, right: Uint8Array): Digest => sha256(NODE, left, right);

/** The largest power of two below `count`, which is at least 2. */
const split = (count: number): number => {
  let width = 1;
  while (width * 2 < count) width *= 2;
  return width;
};

/** Root over leaf hashes; of none, the hash of nothing. */
export const merkleRoot = (leaves: readonly Digest[]): Digest => {
  if (leaves.length === 0) return sha256();
  let level = leaves;
  // A node without a neighbour rises as it is: the same tree as by splitting at powers of two.
  while (level.length > 1) level = parentsOf(level);
  return level[0] ?? sha256();
};

const parentsOf = (level: readonly Digest[]): readonly Digest[] => {
  const parents: Digest[] = [];
  for (let at = 0; at < level.length; at += 2) {
    const [left, right] = [level[at], level[at + 1]];
    if (left !== undefined) parents.push(right === undefined ? left : nodeHash(left, right));
  }
  return parents;
};

/** The hashes beside the way from leaf `index` to the root, from below. Throws RangeError if there is no such leaf. */
export const inclusionPath = (leaves: readonly Digest[], index: number): readonly Digest[] => {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length)
    throw new RangeError(`no leaf ${index} among ${leaves.length}`);
  const path: Digest[] = [];
  let level = leaves;
  for (let at = index; level.length > 1; at >>>= 1) {
    const beside = level[at % 2 === 0 ? at + 1 : at - 1];
    if (beside !== undefined) path.push(beside);
    level = parentsOf(level);
  }
  return path;
};

/**
 * The root that a leaf at `index` of `size` leaves and its path lead to; undefined where the path does not have the
 * length that such a place has.
 */
export const rootFromPath = (
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Digest | undefined => {
  if (!Number.isInteger(index) || !Number.isInteger(size) || index < 0 || index >= size) return undefined;
  const hashes = [...path];
  const climb = (at: number, count: number): Uint8Array | undefined => {
    if (count === 1) return leaf;
    const width = split(count);
    const left = at < width;
    const below = left ? climb(at, width) : climb(at - width, count - width);
    const beside = hashes.shift();
    if (below === undefined || beside === undefined) return undefined;
    return left ? nodeHash(below, beside) : nodeHash(beside, below);
  };
  const root = climb(index, size);
  return root === undefined || hashes.length > 0 ? undefined : Buffer.from(root);
};
