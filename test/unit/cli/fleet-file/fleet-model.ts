import fc from 'fast-check';
import type { Change, Step } from '../../../../lib/cli/fleet-file/change.ts';
import type { FleetFile } from '../../../../lib/cli/fleet-file/schema.ts';
import type { FleetState } from '../../../../lib/cli/fleet-file/state.ts';
import { AllocationInput } from '../../../../lib/schemas/allocation.ts';
import { type Labscape, LabscapeInput, Policy } from '../../../../lib/schemas/labscape.ts';
import { type Resource, ResourceInput } from '../../../../lib/schemas/resource.ts';
import { TenantInput } from '../../../../lib/schemas/tenant.ts';

const zero = { processing: 0, memory: 0, storage: 0, network: 0 };

export interface Model {
  readonly labscapes: Map<string, Labscape>;
  readonly resources: Map<string, Resource>;
  readonly tenants: Map<string, FleetState['tenants'] extends ReadonlyMap<string, infer T> ? T : never>;
  readonly work: Map<string, FleetState['work'] extends ReadonlyMap<string, infer W> ? W : never>;
}

export const emptyModel = (): Model => ({
  ...{ labscapes: new Map(), resources: new Map(), tenants: new Map(), work: new Map() },
});

type Only<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
const only = <T extends object>(value: T): Only<T> =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Only<T>;

/** What the API would have made of a step; the fleet as far as a file can speak of it. */
function carryOut(model: Model, { id }: Change, step: Step): void {
  if (step.call === 'join') {
    const { name, ...input } = LabscapeInput.parse(step.body);
    const known = { protocolVersion: '1.0', maintenance: false, cfg: 1, joinedAt: 1 };
    model.labscapes.set(id, { ...input, ...known, name: name ?? id });
  } else if (step.call === 'edit-labscape') {
    const before = model.labscapes.get(id);
    if (before?.cfg !== step.cfg) throw new Error('stale');
    const { policy, reason: _, ...rest } = step.body;
    const merged = {
      ...before.policy,
      ...only(policy ?? {}),
      rebalance: { ...before.policy.rebalance, ...only(policy?.rebalance ?? {}) },
    };
    const after = { ...before, ...only(rest), policy: Policy.parse(merged), cfg: before.cfg + 1 };
    model.labscapes.set(id, after);
  } else if (step.call === 'register') {
    const { devices, ...input } = ResourceInput.parse(step.body);
    model.resources.set(id, {
      ...{ ...input, status: 'healthy', since: 1, statusReason: 'registered', used: zero, groups: 0 },
      ...{ limit: input.capacity, fill: input.capacity, epoch: 1, cfg: 1, assignmentRevision: 1 },
      ...(devices && { devices: { ...devices, used: Array<number>(devices.count).fill(0) } }),
    });
  } else if (step.call === 'edit-resource') {
    const before = model.resources.get(id);
    if (before === undefined) throw new Error('unknown');
    const { reason: _, ...rest } = step.body;
    model.resources.set(id, { ...before, ...only(rest), cfg: before.cfg + 1 });
  } else if (step.call === 'put-tenant') {
    const before = model.tenants.get(id);
    const { quota, slices, weight = before?.weight ?? 1 } = TenantInput.parse(step.body);
    model.tenants.set(id, { id, quota, used: zero, slices: before?.slices ?? slices, weight, cfg: 1 });
  } else if (step.call === 'adopt') {
    const { adopt, tenant = '', demand, class: of, constraints, ...input } = AllocationInput.parse(step.body);
    model.work.set(id, {
      ...{ id: step.key, tenant, status: 'placed', createdAt: 1, demand, class: of, constraints },
      ...only({ devices: input.devices, spec: input.spec, protected: input.protected }),
      ...(adopt && { resource: adopt.resource, adoptedOn: adopt.resource }),
    });
  } else {
    const before = model.resources.get(id);
    if (before === undefined) throw new Error('unknown');
    model.resources.set(id, { ...before, status: step.call === 'drain' ? 'drained' : 'retired' });
  }
}

export function applyTo(model: Model, changes: readonly Change[]): void {
  for (const change of changes) for (const step of change.steps) carryOut(model, change, step);
}

const amount = fc.integer({ min: 1, max: 1_000 });
const vector = fc.record({ processing: amount, memory: amount, storage: amount, network: amount });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });
const label = fc.dictionary(fc.constantFrom('rack', 'zone', 'a.b/c'), fc.constantFrom('x', 'y'));

/** Only what may be changed once it is there. */
const policy = fc.record(
  {
    mode: fc.constantFrom('observe' as const, 'ask' as const, 'automatic' as const),
    fill: fc.constantFrom('system' as const, 'n+1' as const, 'none' as const),
    coolDownMs: fc.integer({ min: 0, max: 9_000 }),
    breakerShare: fc.constantFrom(0.25, 0.5),
    rebalance: fc.record({ mode: fc.constantFrom('off' as const, 'by-hand' as const) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);
const labscape = fc.record(
  {
    name: fc.constantFrom('North', 'South: "1" # no', "it's"),
    weight: fc.integer({ min: 1, max: 9 }),
    maintenance: fc.boolean(),
    policy,
  },
  { requiredKeys: [] },
);
const idsOf = (ids: readonly string[]) => fc.constantFrom(...ids);
/** A resource is always in one labscape, since it cannot go to another. */
const homeOf = (resource: string): string => `l${Number(resource.slice(1)) % 2}`;

/** Files over few names, so that two of them speak of the same things. */
export const anyFile: fc.Arbitrary<FleetFile> = fc
  .record({
    labscapes: fc.tuple(labscape, labscape).map(([l0, l1]) => ({ l0, l1 })),
    resources: fc.dictionary(
      idsOf(['r0', 'r1', 'r2', 'r3']),
      fc.record({ capacity: vector, labels: maybe(label) }),
      { maxKeys: 4 },
    ),
    tenants: fc.dictionary(
      idsOf(['t0', 't1']),
      fc.record({ quota: vector, weight: maybe(fc.integer({ min: 1, max: 9 })) }),
    ),
    work: fc.constant({}),
  })
  .map(({ resources, ...file }) => ({
    ...file,
    resources: Object.fromEntries(
      Object.entries(resources).map(([id, one]) => [id, { ...one, labscape: homeOf(id) }]),
    ),
  }));
