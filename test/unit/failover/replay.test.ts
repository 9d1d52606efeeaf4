import { describe, expect, test } from '@jest/globals';
import type { MovableGroup } from '../../../lib/failover/plan.ts';
import { type DecisionFacts, decide } from '../../../lib/failover/rules.ts';
import { judge, type Pulse } from '../../../lib/health/detector.ts';
import { Capsule, type CapsuleStep, type DecidingPhase, type StepOf } from '../../../lib/schemas/capsule.ts';
import {
  decideStep,
  detectStep,
  failoverStep,
  initiateStep,
} from '../../../lib/services/recovery/capsule-steps.ts';
import { answerable, capsuleOf } from '../../../lib/services/recovery/capsule-view.ts';
import { fenceWaitMs } from '../../../lib/services/recovery/fence-wait.ts';
import type { Considered } from '../../../lib/services/recovery/plan-moves.ts';
import { planMoves } from '../../../lib/services/recovery/plan-moves.ts';
import { replayCapsule } from '../../../lib/services/recovery/replay.ts';
import { decodeParts, encodePart, PART_BYTES_MAX } from '../../../lib/store/recovery/capsules.ts';
import type { RecoveryRecord } from '../../../lib/store/recovery/recoveries.ts';
import { CorruptItem } from '../../../lib/store/table/attributes.ts';

const NOW = 1_800_000_000_000;
const LIMIT = { processing: 1_000, memory: 1_000, storage: 1_000, network: 1_000 };
const used = (n: number) => ({ processing: n, memory: n, storage: n, network: n });

const resource = (id: string, n: number): Considered => ({
  ...{
    id,
    labscape: 'lab',
    status: 'healthy',
    cfg: 1,
    limit: LIMIT,
    used: used(n),
    groups: [1, 2],
    labels: {},
  },
  residency: undefined,
  spread: id === 'r1' ? ['acme:web'] : undefined,
  devices: { model: 'a', used: [0, 500] },
});
const group = (id: string, n: number, more: Partial<MovableGroup> = {}): MovableGroup => ({
  ...{ id, epoch: 1, load: 1, count: 1, class: 'normal', kind: 'n.x', constraints: {}, demand: used(n) },
  ...{ labscape: 'lab', heldUntil: undefined, ...more },
});

const FLEET = [resource('source', 900), resource('r1', 100), resource('r2', 600), resource('r3', 850)];
const GROUPS = [
  group('g1', 300),
  group('g2', 100, { constraints: { spread: { key: 'acme:web', hard: true } } }),
  group('g3', 50, { devices: { count: 1, milli: 600 }, count: 1 }),
  group('g4', 950),
];
const SOURCE = { id: 'source', capacity: LIMIT };

const pulse: Pulse = {
  ...{ lastAt: NOW - 9_000, meanMs: 1_000.5, deviationMs: 250, status: 'ok', epoch: 1 },
  leaseEndMs: 3_250,
};
const FACTS: DecisionFacts = {
  ...{
    now: NOW,
    trigger: 'detector',
    mode: 'automatic',
    maintenance: true,
    coolDownMs: 5_000,
    breakerShare: 0.3,
  },
  ...{
    status: 'failed',
    lastRecoveryEndedAt: undefined,
    flaps: 0,
    labscapeResources: 4,
    labscapeUnhealthy: 1,
  },
  ...{ targets: 3, groups: 4 },
};

/** Every step as the phases note it, through JSON as it is stored. */
const capsule = (): Capsule => {
  const policy = { beatMs: 1_000, leaseEndMs: 3_250 };
  const question = { resource: 'source', trigger: 'detector', now: NOW } as const;
  const labscape = { policy: { leaseMs: 10_000, fencing: 'lease' } } as const;
  const beats = { pulses: new Map([['source', pulse]]) };
  const overrides = new Map([['maintenance', 'ovr-1']] as const);
  const steps: CapsuleStep[] = [
    detectStep({
      ...{ now: NOW, policy, pulse, trigger: 'detector', judged: judge(pulse, NOW, policy) },
      resource: { status: 'failed', failedBy: 'detector' },
    }),
    decideStep([
      { facts: FACTS, decision: decide(FACTS) },
      { facts: FACTS, overrides, decision: decide(FACTS, overrides) },
    ]),
    initiateStep({ question, labscape, beats, fenceWaitMs: fenceWaitMs(labscape, beats, question) }),
    failoverStep({
      ...{ now: NOW, wishes: undefined, overtaken: 0, source: SOURCE, groups: GROUPS, fleet: FLEET },
      plan: planMoves(SOURCE, GROUPS, FLEET),
    }),
  ];
  return Capsule.parse(JSON.parse(JSON.stringify({ v: 1, recovery: 'source-1-1', steps, missing: [] })));
};

type Doctor = (step: CapsuleStep) => void;
type Doctoring = readonly [phase: DecidingPhase, doctor: Doctor];

/** Changes the steps of one phase. */
const at = <P extends DecidingPhase>(phase: P, change: (step: StepOf<P>) => unknown): Doctoring => [
  phase,
  (step) => {
    const isOf = (one: CapsuleStep): one is StepOf<P> => one.phase === phase;
    if (isOf(step)) change(step);
  },
];

const doctored = (doctor: Doctor) => {
  const whole = capsule();
  for (const step of whole.steps) doctor(step);
  return replayCapsule(whole);
};

describe('a capsule', () => {
  test('replays to the decisions that it holds, with constraints, devices, overrides and what fits nowhere', () => {
    const { steps } = capsule();
    expect(steps[1]).toMatchObject({
      looks: [{ decision: { kind: 'refuse' } }, { decision: { kind: 'proceed' } }],
    });
    expect(steps[2]).toMatchObject({ decision: { fenceWaitMs: 1_250 } });
    expect(steps[3]).toMatchObject({
      decision: {
        moves: [
          ['g1', 'r1'],
          ['g2', 'r2'],
          ['g3', 'r1', [0]],
        ],
        unplaced: [['g4', expect.stringMatching(/^no-room/)]],
      },
    });
    const replayed = replayCapsule(capsule());
    expect(replayed.steps.flatMap(({ differences }) => differences)).toEqual([]);
    expect(replayed.identical).toBe(true);
  });

  const tampered: readonly (readonly [what: string, ...Doctoring])[] = [
    [
      'a beat that was heard',
      ...at('Detect', (step) => {
        step.now -= 8_500;
      }),
    ],
    [
      'a verdict',
      ...at('Detect', ({ decision }) => {
        decision.verdict = 'healthy';
      }),
    ],
    [
      'the status of the resource',
      ...at('Detect', (step) => {
        step.status = 'healthy';
      }),
    ],
    ['an override that is gone', ...at('Decide', ({ looks }) => looks[1]?.overrides.pop())],
    ['a fact', ...at('Decide', ({ looks }) => Object.assign(looks[0]?.facts ?? {}, { maintenance: false }))],
    [
      'the fencing policy',
      ...at('Initiate', ({ policy }) => {
        policy.fencing = 'immediate';
      }),
    ],
    [
      'the wait of the fence',
      ...at('Initiate', ({ decision }) => {
        decision.fenceWaitMs += 1;
      }),
    ],
    ['a resource', ...at('Failover', ({ resources }) => resources.splice(0, 1))],
    ['a group', ...at('Failover', ({ groups }) => groups.pop())],
    ['a device', ...at('Failover', ({ resources }) => resources[0]?.[8].devices?.used.reverse())],
    ['the plan', ...at('Failover', ({ decision }) => decision.targets.reverse())],
  ];
  test.each(tampered)('turns red where somebody changed %s', (_, phase, doctor) => {
    const replayed = doctored(doctor);
    expect(replayed.identical).toBe(false);
    expect(
      replayed.steps.filter(({ differences }) => differences.length > 0).map((step) => step.phase),
    ).toEqual([phase]);
  });

  test('comes back from its items, in chunks', () => {
    const { steps, missing } = capsule();
    const items = encodePart('source-1-1', { steps, missing }, 0);
    expect(items).toHaveLength(1);
    expect(decodeParts(items)).toEqual([{ steps, missing }]);
  });

  test('of a large fleet takes several items, all of which are needed', () => {
    const { steps } = capsule();
    for (const step of steps) if (step.phase === 'Failover') step.resources = noise(12_000);
    const items = encodePart('source-1-1', { steps, missing: [] }, 0);
    expect(items.length).toBeGreaterThan(1);
    for (const { data } of items) expect(data?.B?.length).toBeLessThan(390_000);
    expect(decodeParts(items)).toEqual([{ steps, missing: [] }]);
    expect(() => decodeParts(items.slice(1))).toThrow(CorruptItem);
  });

  test('of a fleet that is too large leaves the plan out and says so', () => {
    const { steps } = capsule();
    for (const step of steps) if (step.phase === 'Failover') step.resources = noise(90_000);
    const items = encodePart('source-1-1', { steps, missing: [] }, 0);
    expect(items).toHaveLength(1);
    const [part] = decodeParts(items);
    expect(part?.steps.map(({ phase }) => phase)).toEqual(['Detect', 'Decide', 'Initiate']);
    expect(part?.missing).toEqual([
      { phase: 'Failover', why: expect.stringContaining(`more than the ${PART_BYTES_MAX} that are kept`) },
    ]);
  });

  test('that is too long for an answer leaves the plan out and says where it is', () => {
    const whole = capsule();
    expect(answerable(whole)).toBe(whole);
    const short = answerable(whole, 2_000);
    expect(short.steps.map(({ phase }) => phase)).toEqual(['Detect', 'Decide', 'Initiate']);
    expect(short.missing).toMatchObject([
      { phase: 'Failover', why: expect.stringContaining('CAP#source-1-1') },
    ]);
    expect(JSON.stringify(short).length).toBeLessThan(2_500);
  });

  test('says which decisions nobody kept, and why', () => {
    const phases = ['Detect', 'Decide', 'Initiate', 'Failover', 'Reassign'].map((name) => ({ name }));
    const record = { id: 'source-1-1', status: 'done', phases } as unknown as RecoveryRecord;
    const { steps } = capsule();
    const found = capsuleOf(record, [{ steps: steps.slice(3), missing: [] }]);
    expect(found.steps.map(({ phase }) => phase)).toEqual(['Failover']);
    expect(found.missing.map(({ phase }) => phase)).toEqual(['Detect', 'Decide', 'Initiate']);
    for (const { why } of found.missing) expect(why).toMatch(/before it wrote it down/);
  });
});

/** Resources that compress badly: by a linear generator, so that every run has the same. */
function noise(count: number): Extract<CapsuleStep, { phase: 'Failover' }>['resources'] {
  let state = 1;
  const next = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state;
  };
  const amounts = (): [number, number, number, number] => [next(), next(), next(), next()];
  return Array.from({ length: count }, (_, index) => {
    const id = `r${index}`;
    return [id, 'lab', 'healthy', 1, amounts(), amounts(), 3, {}, {}];
  });
}
