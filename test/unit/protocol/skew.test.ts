import { describe, expect, test } from '@jest/globals';
import { createClient } from '../../../lib/client/client.ts';
import { OWN_VERSIONS } from '../../../lib/protocol/negotiate.ts';
import { Assignments, ReportInput } from '../../../lib/schemas/assignment.ts';
import { HeartbeatAnswer, HeartbeatInput, ORDER_KINDS } from '../../../lib/schemas/heartbeat.ts';
import { RESOURCE_STATUSES } from '../../../lib/schemas/resource.ts';

const beat = { agent: 'a', seq: 1, resources: [{ resource: 'r', epoch: 0, assignmentRevision: 0 }] };
const answer = {
  ...{ receivedAt: 1, beatMs: 1_000, leaseMs: 3_000 },
  resources: [{ resource: 'r', status: 'healthy', epoch: 1, assignmentRevision: 1, leased: true }],
  orders: [{ kind: 'restore', resource: 'r', recovery: 'r-1-1', issuedAt: 1 }],
};

/** A client of this version before a control plane that answers `body`. */
const facing = (body: unknown) =>
  createClient({
    ...{ url: 'http://127.0.0.1:1', chance: { uniform: () => 0, id: () => 'id' } },
    transport: async () => ({ status: 200, text: JSON.stringify(body), header: () => undefined }),
  });

describe('an older agent before a newer control plane', () => {
  test('passes over fields that it does not know, at every depth', async () => {
    const newer = {
      ...{ ...answer, mood: 'fine', resources: answer.resources.map((one) => ({ ...one, colour: 'red' })) },
      orders: answer.orders.map((one) => ({ ...one, within: 5 })),
    };
    expect(await facing(newer).call('beat', { params: { labscape: 'l' }, body: beat })).toEqual(answer);
    const list = { resource: 'r', labscape: 'l', status: 'healthy', epoch: 1, revision: 1, complete: true };
    const seen = await facing({ ...list, items: [], hint: 1 }).call('getAssignments', {
      params: { resource: 'r' },
    });
    expect(seen).toEqual({ ...list, items: [] });
  });

  test('passes over orders of a kind that it does not know, and keeps its lease', async () => {
    const newer = { ...answer, orders: [{ kind: 'polish', shine: 1 }, ...answer.orders] };
    expect(await facing(newer).call('beat', { params: { labscape: 'l' }, body: beat })).toEqual(answer);
    expect(HeartbeatAnswer.safeParse({ ...answer, orders: [{ kind: 'restore' }] }).success).toBe(false);
  });

  test('does not understand another status, so that one more needs a higher protocol version', () => {
    const list = { resource: 'r', labscape: 'l', epoch: 1, revision: 1, complete: true, items: [] };
    expect(Assignments.safeParse({ ...list, status: 'dreaming' }).success).toBe(false);
    // What agents of each version understand. Whoever adds a word adds a version, and its line.
    const spoken: Readonly<Record<string, readonly string[]>> = {
      '1.0': ['healthy', 'suspect', 'failed', 'recovering', 'drained', 'offline', 'retired'],
    };
    expect(Object.keys(spoken)).toEqual([...OWN_VERSIONS]);
    expect(spoken[OWN_VERSIONS.at(-1) ?? '']).toEqual([...RESOURCE_STATUSES]);
    expect(ORDER_KINDS).toContain('restore');
  });
});

test('a control plane does not guess at what it does not know: strict requests', () => {
  expect(HeartbeatInput.safeParse(beat).success).toBe(true);
  expect(HeartbeatInput.safeParse({ ...beat, mood: 'fine' }).success).toBe(false);
  const entry = { ...beat.resources[0], colour: 'red' };
  expect(HeartbeatInput.safeParse({ ...beat, resources: [entry] }).success).toBe(false);
  const report = { agent: 'a', epoch: 1, stopped: [{ group: 'g', epoch: 1 }] };
  expect(ReportInput.safeParse(report).success).toBe(true);
  expect(ReportInput.safeParse({ ...report, mood: 'fine' }).success).toBe(false);
});
