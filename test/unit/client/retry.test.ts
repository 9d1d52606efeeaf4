import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ApiUnreachable } from '../../../lib/client/api-error.ts';
import { jitteredMs, RETRY_DEFAULT, retryDelayMs } from '../../../lib/client/retry.ts';

test('jitter is within [0, cap) whatever the number of tries', () => {
  fc.assert(
    fc.property(fc.nat(200), fc.double({ min: 0, max: 0.999999, noNaN: true }), (tries, uniform) => {
      const ms = jitteredMs({ baseMs: 50, capMs: 2000 }, tries, { uniform: () => uniform, id: () => '' });
      expect(ms).toBeGreaterThanOrEqual(0);
      expect(ms).toBeLessThan(2000);
    }),
  );
});

test('tries end', () => {
  const chance = { uniform: () => 0.5, id: () => '' };
  const error = new ApiUnreachable('getHealth', 'x');
  expect(retryDelayMs(error, RETRY_DEFAULT.triesMax - 1, true, RETRY_DEFAULT, chance)).toBeDefined();
  expect(retryDelayMs(error, RETRY_DEFAULT.triesMax, true, RETRY_DEFAULT, chance)).toBeUndefined();
});
