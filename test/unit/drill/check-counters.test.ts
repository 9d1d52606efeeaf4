import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { allRunningAt, checkCounters, checkRunning } from '../../../infra/local/drill/check-counters.ts';
import { readCounters } from '../../../infra/local/drill/counter-lines.ts';
import type { CounterLine } from '../../../infra/local/sample/counter-file.ts';
import { AFTER, COUNTERS, changed, EVIDENCE, KILLED_AT, LEASE_ENDS_AT, VICTIM } from './fixture.ts';

const FENCE = { victim: VICTIM, leaseEndsAt: LEASE_ENDS_AT };
const lines = COUNTERS.get('a') ?? [];
/** Counter a's lines, those at the given places changed. */
const altered = (...patches: readonly [at: number, patch: Partial<CounterLine>][]) =>
  new Map([
    [
      'a',
      lines.map((line, i) => Object.assign({}, line, ...patches.flatMap(([at, p]) => (at === i ? p : [])))),
    ],
  ]);

describe('counters', () => {
  test('that go on where they stood are fine, and so are those that go on later', () => {
    expect(checkCounters(COUNTERS, FENCE)).toEqual([]);
    expect(checkCounters(altered([3, { n: 9 }], [4, { n: 10 }]), FENCE)).toEqual([]);
  });

  test('whose work was given to another group of the same resource are fine: its epochs are its own', () => {
    expect(checkCounters(altered([4, { group: 'g9', epoch: 1 }]), FENCE)).toEqual([]);
  });

  test.each<[string, ReturnType<typeof altered>, RegExp]>([
    ['count a number twice', altered([3, { n: 3 }]), /line 3 of north-2 comes after line 3 of north-1/],
    ['fall back', altered([3, { n: 1 }]), /line 1 of north-2 comes after line 3 of north-1/],
    ['fall back on one host', altered([2, { n: 2 }]), /line 2 of north-1 comes after line 2/],
    ['go back in time', altered([4, { at: KILLED_AT }]), /before line 4/],
    ['have two owners in one epoch', altered([3, { epoch: 1 }]), /both count in epoch 1/],
    [
      'go back to the owner before',
      altered([4, { resource: VICTIM, epoch: 1 }]),
      /line 5 is of epoch 1, epoch 2 has begun/,
    ],
    [
      'go on on a host that has lost its lease',
      altered([2, { at: LEASE_ENDS_AT + 7 }]),
      /written by north-1 7 ms after its lease had ended/,
    ],
    [
      'start while the owner before holds its lease',
      altered([3, { at: LEASE_ENDS_AT - 7 }]),
      /north-2 began 7 ms before the lease of north-1 had ended/,
    ],
  ])('are found when they %s', (_, log, fault) => {
    expect(checkCounters(log, FENCE).join('\n')).toMatch(fault);
  });
});

describe('what ran before', () => {
  const { liveSince } = EVIDENCE.after;

  test('runs again when its owner has written a line just now', () => {
    expect(checkRunning(COUNTERS, AFTER, liveSince)).toEqual([]);
  });

  test('does not run when the last line is old, of another owner, or of another epoch', () => {
    expect(checkRunning(altered([4, { at: liveSince - 1 }]), AFTER, liveSince)).toHaveLength(1);
    expect(checkRunning(altered([4, { resource: 'south-1' }]), AFTER, liveSince)).toHaveLength(1);
    expect(checkRunning(altered([4, { epoch: 1 }]), AFTER, liveSince)).toHaveLength(1);
    expect(checkRunning(altered([4, { group: 'g9' }]), AFTER, liveSince)).toHaveLength(1);
  });

  test('must be known to run', () => {
    const unknown = changed(AFTER, 'a', { running: false });
    expect(checkRunning(COUNTERS, unknown, liveSince).join()).toMatch(/the API does not say so/);
  });
});

describe('the time when all run again', () => {
  test('is that of the last first line on a new owner', () => {
    expect(allRunningAt(COUNTERS, ['a', 'b', 'c'], VICTIM)).toBe(LEASE_ENDS_AT + 600);
  });

  test('is unknown while one has not moved, or never ran', () => {
    expect(allRunningAt(new Map([['a', lines.slice(0, 3)]]), ['a'], VICTIM)).toBeUndefined();
    expect(allRunningAt(COUNTERS, ['d'], VICTIM)).toBeUndefined();
    expect(allRunningAt(COUNTERS, ['z'], VICTIM)).toBeUndefined();
  });
});

describe('the files of counters', () => {
  test('are read with the one before, cut-off lines left out', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'drill-'));
    try {
      mkdirSync(path.join(folder, 'acme'));
      const text = lines.map((line) => JSON.stringify(line));
      writeFileSync(path.join(folder, 'acme', 'a.jsonl.1'), `${text.slice(0, 2).join('\n')}\n`);
      writeFileSync(path.join(folder, 'acme', 'a.jsonl'), `${text.slice(2).join('\n')}\n{"n":6,"reso`);
      const log = readCounters(folder, 'acme', ['a', 'b']);
      expect(log.get('a')).toEqual(lines);
      expect(log.get('b')).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
