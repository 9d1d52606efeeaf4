import { describe, expect, test } from '@jest/globals';
import type * as z from 'zod';
import { BATCH_RESOURCES_MAX, HeartbeatInput } from '../../../lib/schemas/heartbeat.ts';
import { WORDS_BYTES_MAX, wordChanges } from '../../../lib/services/health/degraded-words.ts';

const NOW = 1_795_132_800_000;
const LEASE_MS = 3_250;

const batch = (entries: Record<string, object>) =>
  HeartbeatInput.parse({
    ...{ agent: 'agent', seq: 1 },
    resources: Object.entries(entries).map(([resource, word]) => ({
      ...{ resource, epoch: 1, assignmentRevision: 1, ...word },
    })),
  } satisfies z.input<typeof HeartbeatInput>);

const pulse = (lastAt: number) => ({
  ...{ lastAt, meanMs: 1_000, deviationMs: 250, epoch: 1, leaseEndMs: LEASE_MS },
  status: 'degraded' as const,
});
const beatsWith = (words: Record<string, string>, silentMs = 0) => ({
  words: new Map(Object.entries(words)),
  pulses: new Map(Object.keys(words).map((resource) => [resource, pulse(NOW - silentMs)])),
});
const degraded = (reason: string) => ({ status: 'degraded', reason });
const changesOf = (...[said, known]: [Record<string, object>, ReturnType<typeof beatsWith>]) =>
  Object.fromEntries(wordChanges(batch(said), known, NOW));

describe('the words by which resources are degraded', () => {
  test('change where another is said, and go with the degradation', () => {
    const known = beatsWith({ same: 'fan', other: 'fan', well: 'fan', failed: 'fan', silent: 'fan' });
    const said = {
      ...{ same: degraded('fan'), other: degraded('disk'), well: {}, fine: { reason: 'fan' } },
      ...{
        failed: { status: 'failed', reason: 'fan' },
        silent: { status: 'degraded' },
        new: degraded('fan'),
      },
    };
    const gone = { well: undefined, failed: undefined, silent: undefined };
    expect(changesOf(said, known)).toEqual({ ...gone, other: 'disk', new: 'fan' });
  });

  test('of others stay until their resource is silent for longer than its lease', () => {
    expect(changesOf({ a: {} }, beatsWith({ b: 'fan' }, LEASE_MS))).toEqual({});
    const changes = wordChanges(batch({ a: {} }), beatsWith({ b: 'fan' }, LEASE_MS + 1), NOW);
    expect([...changes]).toEqual([['b', undefined]]);
  });

  test('are no more than a KB, whoever said them; what there is no room for is left out', () => {
    const ids = Array.from({ length: BATCH_RESOURCES_MAX }, (_, i) => `r${i}`);
    const known = beatsWith({ kept: 'x'.repeat(500) });
    const all = Object.fromEntries(ids.map((id) => [id, degraded('\u00fc'.repeat(200))]));
    const said = [...wordChanges(batch(all), known, NOW)].map(([id, word = '']) => id + word);
    expect(said).toEqual([`r0${'\u00fc'.repeat(120)}`, `r1${'\u00fc'.repeat(120)}`]);
    expect(Buffer.byteLength(`kept${'x'.repeat(500)}${said.join('')}`)).toBeLessThan(WORDS_BYTES_MAX);
  });

  test('give way where they no longer fit', () => {
    const known = beatsWith({ a: 'fan', b: 'x'.repeat(1_000) });
    const changes = wordChanges(batch({ a: degraded('another fan, by far too long for it') }), known, NOW);
    expect([...changes]).toEqual([['a', undefined]]);
  });
});
