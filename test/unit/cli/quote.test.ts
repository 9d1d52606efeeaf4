import { describe, expect, test } from '@jest/globals';
import { renderQuote } from '../../../lib/cli/commands/quote.ts';

const plain = { paint: (_: unknown, text: string) => text };
const move = {
  ...{ group: 'g1', from: 'north-1', to: 'north-2', labscape: 'north', class: 'high' as const, count: 1 },
  demand: { processing: 5, memory: 0, storage: 0, network: 0 },
};
const resource = { resource: 'north-1', items: 5, fenceWaitMs: 0, objections: [] };
const quote = (parts: object) =>
  renderQuote(
    {
      ...{ hash: 'h', moves: [move], pending: [], resources: [resource], targets: 1, allocations: 1 },
      ...{ rehomedShare: 1, ...parts },
    } as unknown as Parameters<typeof renderQuote>[0],
    plain,
  ).split('\n');

describe('a quote', () => {
  test('says one of a thing and several of them as people do', () => {
    expect(quote({})[0]).toBe('1 group with 1 allocation would go to 1 resource: 100 % of the demand');
    expect(quote({ moves: [move, move], allocations: 3, targets: 2 })[0]).toBe(
      '2 groups with 3 allocations would go to 2 resources: 100 % of the demand',
    );
  });

  test('of a resource that holds nothing says so, and gives no share of nothing', () => {
    const lines = quote({ moves: [], allocations: 0, targets: 0 });
    expect(lines[0]).toBe('nothing would move');
    expect(lines.join('\n')).not.toContain('%');
  });
});
