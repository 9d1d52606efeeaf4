import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type Evidence,
  INCIDENT_KINDS,
  INCIDENT_STATUSES,
  RESPONSES,
  SUBJECT_TYPES,
} from '../../lib/schemas/incident.ts';
import { type Caller, ROLES } from '../../lib/security/caller.ts';
import { isNeverLockedOut } from '../../lib/security/never-starved.ts';
import { type Restriction, restrictionOn } from '../../lib/security/threat/board.ts';
import { CHANGES_MAX, type Decision, decide, type Snapshot } from '../../lib/security/threat/decide.ts';
import type { Tallied } from '../../lib/security/threat/detect.ts';
import { type Habit, LEARNING_MS } from '../../lib/security/threat/habits.ts';
import { mayBecome } from '../../lib/security/threat/incident.ts';
import {
  AUTOMATIC_MAX,
  AUTOMATIC_WINDOW_MS,
  EMPTY_BOARD,
  LOCKOUTS_MAX,
  respond,
} from '../../lib/security/threat/respond.ts';
import { SIGNALS, type SignalRow } from '../../lib/security/threat/signals.ts';

const NOW = 1_800_000_000_000;

const NO_EVIDENCE: Evidence = {
  ...{ codes: [], routes: [], networks: [], labscapes: [], scopes: [], principals: [] },
};

const few = <T>(...values: readonly T[]) => fc.subarray([...values]);
const row: fc.Arbitrary<SignalRow> = fc.record({
  signal: fc.constantFrom(...SIGNALS),
  subject: fc.oneof(
    fc.constantFrom('p:ada', 'p:bo', 'p:cy', 'p:di', 'others'),
    fc.integer({ min: 0, max: 9 }).map((n) => `n:10.0.${n}.0/24`),
  ),
  count: fc.integer({ min: 1, max: 500 }),
  tenant: fc.constantFrom(undefined, 'acme', 'zeta'),
  labscapes: few('north', 'south'),
  networks: few('10.0.0.0/24', '10.0.1.0/24'),
  codes: few('forbidden'),
  routes: few('GET /status'),
  scopes: fc.uniqueArray(
    fc.integer({ min: 0, max: 30 }).map((n) => `allocate tenant:t${n}`),
    {
      maxLength: 8,
    },
  ),
  guarded: fc.boolean(),
});
const rows = (from = NOW - 240_000): fc.Arbitrary<Tallied[]> =>
  fc
    .array(fc.record({ row, ago: fc.integer({ min: 0, max: NOW - from }) }), { maxLength: 40 })
    .map((all) => all.map((one, i) => ({ ...one.row, atMs: NOW - one.ago, key: `${NOW - one.ago}#i#${i}` })));
const habit = (principal: string): Habit => ({
  ...{ principal, since: NOW - 2 * LEARNING_MS, scopes: ['allocate tenant:t0'], recent: [] },
});
const snapshot = fc.record({
  rows: rows(),
  mode: fc.constantFrom('observe' as const, 'automatic' as const),
  settled: fc.boolean(),
});
const start = (given: { rows: Tallied[]; mode: 'observe' | 'automatic'; settled: boolean }): Snapshot => ({
  rows: given.rows,
  mode: given.mode,
  incidents: new Map(),
  board: EMPTY_BOARD,
  habits: new Map(
    given.settled ? ['ada', 'bo', 'cy', 'di'].map((principal) => [principal, habit(principal)]) : [],
  ),
});
const applied = (before: Snapshot, { changes, habits }: Decision): Snapshot => ({
  ...before,
  board: changes.findLast(({ board }) => board !== undefined)?.board ?? before.board,
  incidents: new Map([...before.incidents, ...changes.map(({ after }) => [after.id, after] as const)]),
  habits: new Map([...before.habits, ...habits.map((one) => [one.principal, one] as const)]),
});

describe('the decision on incidents', () => {
  test('applied to its own outcome opens nothing more and counts nothing twice', () => {
    fc.assert(
      fc.property(snapshot, (given) => {
        const first = start(given);
        const decision = decide(first, NOW);
        fc.pre(decision.dropped === 0);
        expect(decide(applied(first, decision), NOW).changes).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('does not depend on the order in which instances wrote', () => {
    fc.assert(
      fc.property(snapshot, (given) => {
        const forth = decide(start(given), NOW).changes.map(({ after }) => [after.id, after.count]);
        const back = decide(start({ ...given, rows: given.rows.toReversed() }), NOW).changes;
        expect(back.map(({ after }) => [after.id, after.count])).toEqual(forth);
      }),
      { numRuns: 300 },
    );
  });

  test('makes one incident per kind and subject, few changes, and only allowed changes of status', () => {
    fc.assert(
      fc.property(snapshot, (given) => {
        const { changes } = decide(start(given), NOW);
        const ids = changes.map(({ after }) => after.id);
        expect(new Set(ids).size).toBe(ids.length);
        expect(changes.length).toBeLessThanOrEqual(CHANGES_MAX);
        for (const { before, after } of changes)
          if (before !== undefined && before.status !== after.status)
            expect(mayBecome(before.status, after.status)).toBe(true);
      }),
    );
  });

  test('locks out nobody that is guarded by itself', () => {
    const finding = fc.record({
      ...{ id: fc.constant('x'), kind: fc.constantFrom(...INCIDENT_KINDS), subject: fc.constant('ada') },
      ...{ type: fc.constantFrom(...SUBJECT_TYPES), guarded: fc.boolean() },
      ...{ count: fc.nat(), added: fc.nat(), countedTo: fc.constant(''), lastAt: fc.constant(NOW) },
      evidence: fc.constant(NO_EVIDENCE),
    });
    let throttled = 0;
    fc.assert(
      fc.property(finding, (found) => {
        const reply = respond(found, EMPTY_BOARD, 'automatic', NOW, 'test');
        if (reply?.restriction === undefined) return;
        expect(['labscape', 'network']).not.toContain(found.type);
        if (found.guarded) {
          expect(reply.response.kind).toBe('throttle');
          throttled += 1;
        }
      }),
      { numRuns: 500 },
    );
    expect(throttled).toBeGreaterThan(0);
  });

  test('responds to no labscape and no network, and only where it may', () => {
    fc.assert(
      fc.property(snapshot, (given) => {
        const { changes } = decide(start(given), NOW);
        for (const { after, board } of changes) {
          if (after.response?.status !== 'active') continue;
          expect([given.mode, ['labscape', 'network'].includes(after.type)]).toEqual(['automatic', false]);
          expect(board?.restrictions.some(({ incident }) => incident === after.id)).toBe(true);
          expect(after.response.until ?? 0).toBeGreaterThan(NOW);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('responds by itself at most so often, over any run of looks', () => {
    fc.assert(
      fc.property(fc.array(rows(), { minLength: 1, maxLength: 8 }), (looks) => {
        let state = start({ rows: [], mode: 'automatic', settled: true });
        let given: { kind: string; at: number }[] = [];
        looks.forEach((seen, i) => {
          const now = NOW + i * 60_000;
          const moved = seen.map((one) => ({ ...one, atMs: one.atMs + i * 60_000, key: `${i}${one.key}` }));
          const decision = decide({ ...state, rows: moved }, now);
          for (const { after, board } of decision.changes)
            if (board !== undefined && after.response?.status === 'active')
              given.push({ kind: after.response.kind, at: now });
          given = given.filter(({ at }) => now - at < AUTOMATIC_WINDOW_MS);
          expect(given.length).toBeLessThanOrEqual(AUTOMATIC_MAX);
          expect(given.filter(({ kind }) => kind !== 'throttle').length).toBeLessThanOrEqual(LOCKOUTS_MAX);
          state = applied(state, decision);
        });
      }),
      { numRuns: 200 },
    );
  });
});

const restriction: fc.Arbitrary<Restriction> = fc.record({
  incident: fc.constantFrom('a', 'b'),
  kind: fc.constantFrom(...RESPONSES),
  type: fc.constantFrom('principal' as const, 'tenant' as const, 'labscape' as const),
  subject: fc.constantFrom('ada', 'acme', 'north'),
  untilMs: fc.integer({ min: NOW - 10, max: NOW + 10 }),
});
const someone: fc.Arbitrary<Caller> = fc.record({
  principal: fc.constantFrom('ada', 'bo', 'break-glass.eve'),
  roles: fc.subarray([...ROLES], { minLength: 1 }),
  tenant: fc.constantFrom('acme', 'zeta'),
  labscape: fc.constantFrom('north', 'south'),
  expiresAtS: fc.constant(NOW),
});
const deed = fc.record({
  action: fc.constantFrom('beat', 'report', 'readAssignments', 'operateResources', 'allocate', 'readFleet'),
  reads: fc.boolean(),
  labscape: fc.constantFrom(undefined, 'north'),
});

describe('a board, whatever is on it,', () => {
  test('holds up no beat and no break-glass, locks out no admin or agent, and slows down no recovery', () => {
    fc.assert(
      fc.property(fc.array(restriction, { maxLength: 6 }), someone, deed, (board, caller, does) => {
        const held = restrictionOn(board, caller, does, NOW);
        if (held === undefined) return;
        expect(held.untilMs).toBeGreaterThan(NOW);
        expect(['beat', 'report', 'readAssignments']).not.toContain(does.action);
        expect(caller.principal).not.toBe('break-glass.eve');
        if (held.kind === 'throttle') expect(does.action).not.toBe('operateResources');
        else expect(isNeverLockedOut(caller)).toBe(false);
        if (held.kind === 'quarantine') expect(does.reads).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  test('holds up those it is about', () => {
    const who: Caller = { principal: 'ada', roles: ['tenant'], tenant: 'acme', expiresAtS: 0 };
    const does = { action: 'allocate', reads: false };
    for (const [type, subject] of [
      ['principal', 'ada'],
      ['tenant', 'acme'],
    ] as const)
      for (const kind of RESPONSES) {
        const board = [{ incident: 'x', kind, type, subject, untilMs: NOW + 1 }];
        expect(restrictionOn(board, who, does, NOW)?.kind).toBe(kind);
        expect(restrictionOn(board, who, does, NOW + 1)).toBeUndefined();
      }
  });
});

test('every status of an incident can end, and nothing leaves it unresolved for ever', () => {
  for (const from of INCIDENT_STATUSES)
    if (from !== 'resolved') expect(mayBecome(from, 'resolved')).toBe(true);
  expect(mayBecome('resolved', 'acknowledged')).toBe(false);
});
