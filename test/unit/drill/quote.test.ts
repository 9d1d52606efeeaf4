import { describe, expect, test } from '@jest/globals';
import type { SeenResource } from '../../../infra/local/drill/check-limits.ts';
import { checkQuote, type SeenQuote } from '../../../infra/local/drill/check-quote.ts';
import { readFailure, victimsOf } from '../../../infra/local/drill/failure.ts';
import type { SeenAllocation } from '../../../infra/local/drill/ledger.ts';
import { readArguments } from '../../../infra/local/drill/options.ts';
import { UsageError } from '../../../infra/usage.ts';

const even = (n: number) => ({ processing: n, memory: n, storage: n, network: n });

const resource = (id: string, used: number): SeenResource => ({
  ...{ id, labscape: id.slice(0, 1), status: 'healthy', since: 1, statusReason: 'registered' },
  ...{ capacity: even(100), limit: even(80), fill: even(72), used: even(used), groups: 1 },
  ...{ labels: {}, epoch: 1, cfg: 1, assignmentRevision: 1 },
});
const allocation = (id: string, group: string, home: string): SeenAllocation => ({
  ...{ id, tenant: 'drill', status: 'placed', class: 'normal', demand: even(10), constraints: {} },
  ...{ group, groupEpoch: 1, resource: home, labscape: home.slice(0, 1), createdAt: 1 },
});
const RESOURCES = [resource('a-1', 20), resource('b-1', 50)];
const ALLOCATIONS = [
  allocation('x', 'g1', 'a-1'),
  allocation('y', 'g2', 'a-1'),
  allocation('z', 'g3', 'b-1'),
];

const move = (group: string, to: string, n = 10): SeenQuote['moves'][number] => ({
  ...{ group, from: 'a-1', to, labscape: to.slice(0, 1), count: 1, demand: even(n) },
  graceful: false,
});
const quote = (moves: SeenQuote['moves'], pending: SeenQuote['pending'] = []): SeenQuote => ({
  ...{ hash: 'a'.repeat(64), at: 1, resources: [], moves, pending, allocations: moves.length },
  ...{ demand: even(20), rehomed: even(20), rehomedShare: 1, targets: 1 },
});
const faultsOf = (one: SeenQuote) => checkQuote(one, ['a-1'], ALLOCATIONS, RESOURCES);

describe('a quote in a drill', () => {
  test('of every group of the victims, within limits, is good', () => {
    expect(faultsOf(quote([move('g1', 'b-1'), move('g2', 'b-1')]))).toEqual([]);
    const wait = { group: 'g2', from: 'a-1', count: 1, demand: even(10), reason: 'no-room-memory' };
    expect(faultsOf(quote([move('g1', 'b-1')], [wait]))).toEqual([]);
  });

  test('is broken when it misses a group, has one twice, goes to a victim or passes a limit', () => {
    expect(faultsOf(quote([move('g1', 'b-1')]))).toEqual(['the quote has 1 groups, the victims hold 2']);
    expect(faultsOf(quote([move('g1', 'b-1'), move('g1', 'b-1')]))).toHaveLength(1);
    expect(faultsOf(quote([move('g1', 'a-1'), move('g2', 'b-1')]))).toEqual([
      'group g1 would go to a-1, which fails as well',
    ]);
    expect(faultsOf(quote([move('g1', 'b-1', 25), move('g2', 'b-1')]))).toHaveLength(4);
  });
});

describe('what fails', () => {
  const holders = [
    { id: 'a-1', labscape: 'a', count: 5 },
    { id: 'a-2', labscape: 'a', count: 5 },
    { id: 'b-1', labscape: 'b', count: 9 },
    { id: 'c-1', labscape: 'c', count: 1 },
  ];

  test.each([
    ['resource', ['b-1']],
    ['resources:2', ['b-1', 'a-1']],
    ['labscape', ['a-1', 'a-2']],
    ['labscapes:2', ['a-1', 'a-2', 'b-1']],
  ])('%s', (text, victims) => {
    expect(victimsOf(holders, readFailure(text))).toEqual(victims);
  });

  test.each(['', 'resources', 'resources:0', 'labscapes:100', 'site'])('"%s" is no failure', (text) => {
    expect(() => readFailure(text)).toThrow(UsageError);
  });

  test('more than one resource, or one that still runs, fails by a person, on a host of the drill itself', () => {
    expect(readArguments(['--fail', 'labscape', '--no-effect']).quoteOf).toEqual({
      of: 'labscape',
      count: 1,
    });
    expect(readArguments(['--no-effect']).quoteOf).toEqual({ of: 'resource', count: 1 });
    expect(readArguments([]).quoteOf).toBeUndefined();
    const api = ['--api', 'http://127.0.0.1:1', '--token', 'any'];
    expect(readArguments([]).failing).toBeUndefined();
    expect(readArguments(['--fail', 'resources:2']).failing).toEqual({
      ...{ failure: { of: 'resource', count: 2 }, graceful: false },
    });
    expect(readArguments(['--graceful']).failing).toMatchObject({ graceful: true });
    for (const more of [api, ['--rebalance'], ['--trigger', 'alarm']])
      expect(() => readArguments(['--fail', 'labscape', ...more])).toThrow(UsageError);
    expect(() => readArguments(['--graceful', '--no-effect'])).toThrow(UsageError);
    expect(() => readArguments(['--no-effect', '--api', 'http://127.0.0.1:1', '--token', 'any'])).toThrow(
      UsageError,
    );
  });
});
