import { describe, expect, test } from '@jest/globals';
import { type AuditFacts, checkAudit } from '../../../infra/local/drill/check-audit.ts';
import { checkLimits } from '../../../infra/local/drill/check-limits.ts';
import { checkMoves, groupsOn, type SeenRecovery } from '../../../infra/local/drill/check-moves.ts';
import { checkReturn } from '../../../infra/local/drill/check-return.ts';
import { countFlips } from '../../../infra/local/drill/flips.ts';
import { checkLedger, type SeenAllocation } from '../../../infra/local/drill/ledger.ts';
import { demandOf } from '../audit/fixture.ts';
import { AFTER, BEFORE, changed, EVIDENCE, KILLED_AT, RECOVERY, TRANSACTIONS, VICTIM } from './fixture.ts';

const { ledger, after } = EVIDENCE;
const [victim] = after.resources;
const [allocation] = AFTER;
if (victim === undefined || allocation === undefined) throw new Error('the fixture is not empty');

describe('the ledger', () => {
  test('finds nothing where all is placed elsewhere', () => {
    expect(checkLedger(ledger, AFTER, VICTIM)).toEqual({ lost: [], pending: [], faults: [] });
  });

  test('finds what is lost, ended or pending', () => {
    const listed = changed(changed(AFTER.slice(1), 'b', { status: 'expired' }), 'c', { status: 'pending' });
    expect(checkLedger(ledger, listed, VICTIM)).toMatchObject({ lost: ['a', 'b'], pending: ['c'] });
  });

  test.each<[string, readonly SeenAllocation[], RegExp]>([
    ['listed twice', [...AFTER, allocation], /a is listed twice/],
    ['that nobody asked for', [...AFTER, { ...allocation, id: 'z' }], /z was never asked for/],
    ['still on the victim', changed(AFTER, 'a', { resource: VICTIM }), /a is still on north-1/],
    ['placed nowhere', changed(AFTER, 'a', { resource: undefined }), /a is placed nowhere/],
    ['with another demand', changed(AFTER, 'a', { demand: demandOf(11) }), /a has another demand/],
    ['with another class', changed(AFTER, 'a', { class: 'low' }), /a has another class/],
    ['with other constraints', changed(AFTER, 'a', { constraints: { labels: { x: 'y' } } }), /other constr/],
    [
      'outside its labscapes',
      changed(AFTER, 'a', { constraints: { labscapes: ['south'] } }),
      /constraints rule out/,
    ],
    [
      'in a labscape it must avoid',
      changed(AFTER, 'a', { constraints: { notLabscapes: ['north'] } }),
      /constraints rule out/,
    ],
  ])('finds one %s', (_, listed, fault) => {
    expect(checkLedger(ledger, listed, VICTIM).faults.join('\n')).toMatch(fault);
  });
});

describe('the limits', () => {
  test('hold when each resource counts what is on it', () => {
    expect(checkLimits(ledger, AFTER, after.resources)).toEqual([]);
  });

  test('are broken by use over them, and by use that does not add up', () => {
    const used = (processing: number) => after.resources.map((r) => ({ ...r, used: demandOf(processing) }));
    expect(checkLimits(ledger, AFTER, used(801)).join('\n')).toMatch(/uses 801 of processing/);
    expect(checkLimits(ledger, AFTER, used(74)).join('\n')).toMatch(/north-2 counts/);
  });

  test('trust the ledger, not what the API says of a demand', () => {
    const shrunk = changed(AFTER, 'a', { demand: demandOf(1) });
    expect(checkLimits(ledger, shrunk, after.resources)).toEqual([]);
  });
});

describe('the moves', () => {
  const before = groupsOn(VICTIM, BEFORE);

  test('are those of every group that was on the victim', () => {
    expect(before).toEqual([
      { group: 'g1', epoch: 1, count: 2 },
      { group: 'g2', epoch: 1, count: 1 },
    ]);
    expect(checkMoves(before, RECOVERY, AFTER)).toEqual([]);
  });

  const moved = (patch: object): SeenRecovery => ({
    ...RECOVERY,
    moves: RECOVERY.moves.map((move, i) => (i === 0 ? { ...move, ...patch } : move)),
  });
  const pending = { group: 'g1', count: 2, demand: demandOf(30), reason: 'no room' };
  test.each<[string, SeenRecovery, readonly SeenAllocation[], RegExp]>([
    ['not done', { ...RECOVERY, status: 'parked' }, AFTER, /ended as parked/],
    ['pending', { ...RECOVERY, pending: [pending] }, AFTER, /leaves group g1 with 2/],
    ['left out', { ...RECOVERY, moves: RECOVERY.moves.slice(1) }, AFTER, /did not move group g1/],
    ['short of a member', moved({ count: 1 }), AFTER, /held 2, 1 were moved/],
    ['without a new epoch', moved({ epoch: 1 }), AFTER, /from epoch 1 to 1/],
    ['told otherwise', moved({ to: 'south-1' }), AFTER, /a is on north-2, its group was moved to south-1/],
    ['taken back', RECOVERY, changed(AFTER, 'a', { groupEpoch: 1 }), /a is at epoch 1/],
  ])('are found when one is %s', (_, recovery, listed, fault) => {
    expect(checkMoves(before, recovery, listed).join('\n')).toMatch(fault);
  });

  test('may be followed by another one', () => {
    const on = { groupEpoch: 3, resource: 'south-1' };
    expect(checkMoves(before, RECOVERY, changed(changed(AFTER, 'a', on), 'b', on))).toEqual([]);
  });
});

describe('the flips', () => {
  test('are the committed transactions after the fault that wrote a group of the victim', () => {
    expect(countFlips(TRANSACTIONS, ['g1', 'g2'], KILLED_AT)).toEqual({
      transactions: 1,
      writes: 3,
    });
  });

  test('are counted when there is one per group', () => {
    const one = (group: string) => ({
      ...{ at: KILLED_AT, ms: 1, function: 'recovery', status: 200 },
      keys: [`state#GRP#${group}#GRP#${group}`],
    });
    expect(countFlips([one('g1'), one('g2'), one('g11')], ['g1', 'g2'], KILLED_AT).transactions).toBe(2);
  });
});

describe('the return of the host', () => {
  test('is complete when it is healthy and empty', () => {
    expect(checkReturn(victim, after.assignments, RECOVERY)).toEqual([]);
  });

  test('is found wanting in everything else', () => {
    const item = { tenant: 'acme', allocation: 'a', group: 'g1', groupEpoch: 1, class: 'normal' as const };
    const still = { ...after.assignments, items: [{ ...item, demand: demandOf(10), startInMs: 0 }] };
    const dead = { ...victim, status: 'offline' as const, groups: 1, used: demandOf(1) };
    const faults = checkReturn(dead, still, { ...RECOVERY, phases: [] }).join('\n');
    expect(faults).toMatch(/order to restore north-1 was answered with null/);
    expect(faults).toMatch(/has not returned: it is offline/);
    expect(faults).toMatch(/still counts 1 groups/);
    expect(faults).toMatch(/still told to run 1 allocations/);
  });
});

describe('the audit', () => {
  const facts: AuditFacts = {
    ...{ events: after.events, heads: after.heads, ledger, tenant: 'acme' },
    seen: { resources: after.resources, allocations: AFTER },
  };
  const { events } = facts;

  test('is whole and rebuilds the state', () => {
    expect(checkAudit(facts)).toEqual([]);
  });

  test.each<[string, AuditFacts, RegExp]>([
    [
      'edited',
      { ...facts, events: events.map((e, i) => (i === 3 ? { ...e, body: { ...e.body, born: true } } : e)) },
      /allocation#acme#b at 1: edited/,
    ],
    ['removed', { ...facts, events: events.filter(({ rev }) => rev !== 2) }, /north-1 at 2: missing/],
    ['cut off', { ...facts, events: events.slice(0, -1) }, /north-1 at 6: truncated/],
    [
      'missing for an allocation',
      { ...facts, events: events.filter(({ entity }) => !entity.endsWith('#d')) },
      /allocation d is unaudited/,
    ],
    [
      'missing for a resource',
      { ...facts, events: events.filter(({ entity }) => entity !== 'resource#north-2') },
      /north-2: has a history, and no event/,
    ],
    [
      'silent about a move',
      { ...facts, seen: { ...facts.seen, allocations: changed(AFTER, 'a', { resource: 'south-1' }) } },
      /owner is south-1 in the API, north-2 by its events/,
    ],
  ])('is found out when an event is %s', (_, broken, fault) => {
    expect(checkAudit(broken).join('\n')).toMatch(fault);
  });
});
