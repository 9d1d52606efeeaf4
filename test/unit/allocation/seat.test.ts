import { expect, test } from '@jest/globals';
import { seat } from '../../../lib/allocation/extras.ts';

const held = { devices: { model: 't4', used: [0, 500, 900] } };
const group = (count: number, milli: number) => ({
  ...{ id: 'g', constraints: {}, count: 1 },
  devices: { count, milli },
});

test('the devices that the strategy chose are taken, though others are fuller', () => {
  expect(seat(held, group(1, 400))?.deviceMap).toEqual([1]);
  expect(seat(held, group(1, 400), [0])?.deviceMap).toEqual([0]);
});

test.each([
  ['are full', [2]],
  ['are unknown', [3]],
  ['are too few', []],
  ['are too many', [0, 1]],
])('what was chosen gives way where they %s', (_, preferred) => {
  expect(seat(held, group(1, 400), preferred)?.deviceMap).toEqual([1]);
});

test('one device is not given twice, and where nothing has room nothing is chosen', () => {
  expect(seat(held, group(2, 400), [0, 0])?.deviceMap).toEqual([1, 0]);
  expect(seat(held, group(3, 400), [0, 1, 0])).toBeUndefined();
});
