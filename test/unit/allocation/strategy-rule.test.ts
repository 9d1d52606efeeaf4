import { describe, expect, test } from '@jest/globals';
import { type StrategicLabscape, strategyFor } from '../../../lib/allocation/strategy-rule.ts';
import type { StrategyName } from '../../../lib/schemas/strategy.ts';

const labscape = (id: string, strategy?: StrategyName, residency?: string): StrategicLabscape => ({
  ...{ id, residency, policy: { strategy } },
});

describe('the strategy of a demand', () => {
  const fleet = [
    labscape('a', 'best-fit', 'ch'),
    labscape('b', 'best-fit', 'no'),
    labscape('c', 'spread', 'ch'),
    labscape('d'),
  ];

  test('is the one that is asked for', () => {
    expect(strategyFor('dynamic', { labscapes: ['a'] }, fleet)).toBe('dynamic');
  });

  test('is that of the admitted labscapes where they agree', () => {
    expect(strategyFor(undefined, { labscapes: ['a', 'b'] }, fleet)).toBe('best-fit');
    expect(strategyFor(undefined, { notLabscapes: ['c', 'd'] }, fleet)).toBe('best-fit');
    expect(strategyFor(undefined, { residency: ['no'] }, fleet)).toBe('best-fit');
  });

  test('is the default where they do not, or one says nothing, or none is admitted', () => {
    expect(strategyFor(undefined, { residency: ['ch'] }, fleet)).toBe('least-loaded');
    expect(strategyFor(undefined, { labscapes: ['a', 'd'] }, fleet)).toBe('least-loaded');
    expect(strategyFor(undefined, {}, fleet)).toBe('least-loaded');
    expect(strategyFor(undefined, { labscapes: ['nowhere'] }, fleet)).toBe('least-loaded');
  });

  test('does not look at labels, which are of resources', () => {
    expect(strategyFor(undefined, { labscapes: ['a'], labels: { rack: 'z' } }, fleet)).toBe('best-fit');
  });
});
