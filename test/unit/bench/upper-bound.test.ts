import { expect, test } from '@jest/globals';
import { shareUnrefused, upperBound } from '../../bench/saturation/upper-bound.ts';

const node = (id: string, ...free: number[]) => ({ id, capacity: free, free, model: '', devices: [] });
const demands = (count: number, ...amounts: number[]) => Array.from({ length: count }, () => ({ amounts }));

test('demands may be cut, and refused for better ones', async () => {
  // Three of 4 into two hosts of 5: pieces fill them.
  expect(await upperBound([node('a', 5), node('b', 5)], demands(3, 4), 0)).toBeCloseTo(10, 6);
  // The second dimension is scarce: what needs none of it goes first, then half of the others.
  const nodes = [node('a', 10, 2)];
  expect(await upperBound(nodes, [...demands(2, 3, 0), ...demands(2, 2, 2)], 0)).toBeCloseTo(8, 6);
});

test('what fits no host counts for nothing, nor does more than was offered', async () => {
  expect(await upperBound([node('a', 5), node('b', 8)], demands(2, 7), 0)).toBeCloseTo(8, 6);
  expect(await upperBound([node('a', 100)], demands(2, 7), 0)).toBeCloseTo(14, 6);
  expect(await upperBound([node('a', 5)], demands(2, 7), 0)).toBeCloseTo(0, 6);
});

test('who may not refuse stops where the first demand must wait', async () => {
  // Half of each kind takes all of the second dimension, though the first has room.
  const nodes = [node('a', 10, 2)];
  expect(await shareUnrefused(nodes, [...demands(2, 3, 0), ...demands(2, 2, 2)])).toBeCloseTo(0.5, 6);
  expect(await shareUnrefused(nodes, demands(2, 1, 1))).toBeCloseTo(1, 6);
  // What fits no host would wait wherever the others go.
  expect(await shareUnrefused(nodes, [...demands(4, 5, 0), ...demands(1, 11, 0)])).toBeCloseTo(0.5, 6);
});
