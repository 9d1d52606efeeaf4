import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { inclusionPath, leafHash, merkleRoot, rootFromPath } from '../../lib/audit/merkle.ts';

const hex = (digest: Uint8Array | undefined) => digest && Buffer.from(digest).toString('hex');
const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, i) => leafHash(Buffer.from([i, i >> 8])));

/** A tree of 1 to 300 leaves and one of them. */
const place = fc
  .integer({ min: 1, max: 300 })
  .chain((size) => fc.tuple(fc.constant(size), fc.integer({ min: 0, max: size - 1 })));

/** The definition of RFC 9162, 2.1.1, word by word. */
const definition = (leaves: readonly Buffer[]): Buffer => {
  const [only] = leaves;
  if (only === undefined) return createHash('sha256').digest();
  if (leaves.length === 1) return only;
  let width = 1;
  while (width * 2 < leaves.length) width *= 2;
  const parts = [Buffer.of(1), definition(leaves.slice(0, width)), definition(leaves.slice(width))];
  return createHash('sha256').update(Buffer.concat(parts)).digest();
};

describe('the Merkle tree', () => {
  test('gives the roots that the test vectors of Certificate Transparency give', () => {
    const inputs = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ];
    const leaves = inputs.map((input) => leafHash(Buffer.from(input, 'hex')));
    expect(hex(merkleRoot([]))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(hex(merkleRoot(leaves.slice(0, 1)))).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    );
    expect(hex(merkleRoot(leaves))).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
  });

  test('is the tree that the RFC defines', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), (count) => {
        const leaves = leavesOf(count);
        expect(hex(merkleRoot(leaves))).toBe(hex(definition(leaves)));
      }),
    );
  });

  test('leads from every leaf by its path to the root', () => {
    fc.assert(
      fc.property(place, ([size, index]) => {
        const leaves = leavesOf(size);
        const path = inclusionPath(leaves, index);
        expect(path.length).toBeLessThanOrEqual(Math.ceil(Math.log2(size)));
        expect(hex(rootFromPath(leaves[index] as Buffer, index, size, path))).toBe(hex(merkleRoot(leaves)));
      }),
    );
  });

  test('leads nowhere else from another leaf, with another sibling, from another place or a path of another length', () => {
    fc.assert(
      fc.property(place, fc.nat(), fc.nat(), ([size, index], other, bit) => {
        const leaves = leavesOf(size);
        const leaf = leaves[index] as Buffer;
        const root = hex(merkleRoot(leaves));
        const path = inclusionPath(leaves, index);
        const reaches = (...args: Parameters<typeof rootFromPath>) => hex(rootFromPath(...args)) === root;
        expect(reaches(leafHash(Buffer.from('other')), index, size, path)).toBe(false);
        const place = other % size;
        if (place !== index) expect(reaches(leaf, place, size, path)).toBe(false);
        expect(reaches(leaf, index, size, [...path, leaf])).toBe(false);
        expect(reaches(leaf, size, size, path)).toBe(false);
        if (path.length === 0) return;
        expect(reaches(leaf, index, size, path.slice(1))).toBe(false);
        const at = other % path.length;
        const flipped = path.map((hash, i) => {
          const copy = Buffer.from(hash);
          if (i === at) copy[bit % 32] = (copy[bit % 32] ?? 0) ^ 1;
          return copy;
        });
        expect(reaches(leaf, index, size, flipped)).toBe(false);
      }),
    );
  });

  test('tells a leaf from a node of the same content', () => {
    const [a, b] = leavesOf(2) as [Buffer, Buffer];
    const node = merkleRoot([a, b]);
    expect(hex(merkleRoot([leafHash(Buffer.concat([a, b]))]))).not.toBe(hex(node));
  });
});
