import { expect } from '@jest/globals';
import type * as z from 'zod';
import type { Allocation, AllocationInput } from '../../lib/schemas/allocation.ts';
import type { RESTORE_OUTCOMES } from '../../lib/schemas/assignment.ts';
import type { Labels, Vector } from '../../lib/schemas/common.ts';
import type { BeatEntry } from '../../lib/schemas/heartbeat.ts';
import type { LabscapeInput } from '../../lib/schemas/labscape.ts';
import type { Recovery } from '../../lib/schemas/recovery.ts';
import type { Resource } from '../../lib/schemas/resource.ts';
import { sum, within } from '../../lib/vector.ts';
import { even, patiently, type Rig, until, vector } from './rig.ts';

export const CAPACITY = 1_000;
/** Of CAPACITY processing: 80 % may be used at all, 90 % of that by placement. */
export const LIMIT = 800;
export const FILL = 720;
/** A group of CAPACITY takes no more members from this on. */
export const GROUP_CLOSES_AT = 40;

let sites = 0;

export interface SiteOptions {
  readonly resources?: number;
  readonly capacity?: Vector;
  readonly policy?: z.input<typeof LabscapeInput>['policy'];
  readonly quota?: Vector;
  readonly slices?: number;
  /** In the labscape that such sites of a host have in common, apart by a label: a fleet of few labscapes is quicker. */
  readonly shared?: boolean;
}

type Wish = Omit<z.input<typeof AllocationInput>, 'demand' | 'tenant'>;

/** Resources and a tenant of a test's own; its work stays on them. */
export class Site {
  readonly rig: Rig;
  readonly id: string;
  readonly labscape: string;
  readonly tenant: string;
  /** What its resources carry, and its work asks for. */
  readonly labels: Labels;
  readonly resources: string[] = [];
  #keys = 0;
  #beats = 0;

  constructor(rig: Rig, id: string, labscape: string) {
    this.rig = rig;
    this.id = id;
    this.labscape = labscape;
    this.tenant = `tenant-${id}`;
    this.labels = labscape === id ? {} : { site: id };
  }

  async register(capacity: Vector = even(CAPACITY), labels: Labels = {}): Promise<string> {
    const id = `${this.id}-r${this.resources.length + 1}`;
    const body = { id, labscape: this.labscape, capacity, labels: { ...this.labels, ...labels } };
    await this.rig.admin.call('registerResource', { body });
    this.resources.push(id);
    return id;
  }

  quota(quota: Vector, slices = 4) {
    const { tenant } = this;
    return this.rig.admin.call('putTenant', { params: { tenant }, body: { quota, slices } });
  }

  /** Asks once for `processing` (or a whole vector) under a new key, unless one is given. */
  ask(demand: number | Vector, wish: Wish = {}, key = `key-${this.id}-${++this.#keys}`) {
    const labels = { ...this.labels, ...wish.constraints?.labels };
    const constraints = { labscapes: [this.labscape], ...wish.constraints, labels };
    const asked = typeof demand === 'number' ? vector({ processing: demand }) : demand;
    const body = { ...wish, tenant: this.tenant, demand: asked, constraints };
    return this.rig.admin.exchange('allocate', { body, headers: { 'idempotency-key': key } });
  }

  /** As `ask`, coming back as long as the answer is 503. */
  async place(demand: number | Vector, wish: Wish = {}): Promise<Allocation> {
    const key = `key-${this.id}-${++this.#keys}`;
    return (await patiently(() => this.ask(demand, wish, key))).body;
  }

  /** `count` allocations of `processing` each. */
  async fill(count: number, processing: number, wish: Wish = {}): Promise<Allocation[]> {
    const placed: Allocation[] = [];
    for (let i = 0; i < count; i += 1) placed.push(await this.place(processing, wish));
    return placed;
  }

  allocation(id: string): Promise<Allocation> {
    const ask = { params: { allocation: id }, query: { tenant: this.tenant } };
    return patiently(() => this.rig.admin.call('getAllocation', ask));
  }

  release(id: string): Promise<Allocation> {
    const query = { tenant: this.tenant };
    return patiently(() => this.rig.admin.call('releaseAllocation', { params: { allocation: id }, query }));
  }

  resource(id: string): Promise<Resource> {
    return patiently(() => this.rig.admin.call('getResource', { params: { resource: id } }));
  }

  async all(): Promise<Resource[]> {
    const query = { labscape: this.labscape, limit: 500 };
    const { items } = await patiently(() => this.rig.admin.call('listResources', { query }));
    return items.filter(({ id }) => this.resources.includes(id));
  }

  async quotaUsed(): Promise<Vector> {
    const ask = { params: { tenant: this.tenant } };
    return (await patiently(() => this.rig.admin.call('getTenant', ask))).used;
  }

  fail(resource: string) {
    return this.rig.admin.call('failResource', { params: { resource }, body: { reason: 'test' } });
  }

  drain(resource: string) {
    return this.rig.admin.call('drainResource', { params: { resource }, body: { reason: 'test' } });
  }

  activate(resource: string) {
    return this.rig.admin.call('activateResource', { params: { resource }, body: { reason: 'test' } });
  }

  /** The recovery once it is written and `is` holds. */
  recovery(id: string, is: (recovery: Recovery) => boolean): Promise<Recovery> {
    return until(`recovery ${id}`, async () => {
      const found = await patiently(() =>
        this.rig.admin.call('getRecovery', { params: { recovery: id } }),
      ).catch((error: unknown) => notFound(error));
      return found !== undefined && is(found) ? found : undefined;
    });
  }

  ended(id: string): Promise<Recovery> {
    return this.recovery(id, (recovery) => recovery.endedAt !== undefined);
  }

  /** One heartbeat of an agent that speaks for one resource. */
  beat(resource: string, word: Partial<z.input<typeof BeatEntry>> = {}) {
    this.#beats += 1;
    return this.rig.admin.call('beat', {
      params: { labscape: this.labscape },
      body: {
        agent: `agent-of-${resource}`.slice(0, 40),
        seq: this.#beats,
        resources: [{ resource, epoch: 1, assignmentRevision: 1, ...word }],
      },
    });
  }

  /** The labscape's answer to the restore order of a recovery, as an agent gives it. */
  answerRestore(resource: string, recovery: string, outcome: (typeof RESTORE_OUTCOMES)[number]) {
    const body = { agent: 'agent', epoch: 1, restore: { recovery, outcome } };
    return this.rig.admin.call('report', { params: { resource }, body });
  }

  /** Declares a resource failed and answers the restore order; the recovery's report. */
  async failAndRestore(resource: string): Promise<Recovery> {
    const { recovery } = await this.fail(resource);
    await this.recovery(recovery, (at) => at.nextPhase === 'RecoverData' || at.endedAt !== undefined);
    await this.answerRestore(resource, recovery, 'restored');
    return this.ended(recovery);
  }

  async drained(resource: string): Promise<Recovery> {
    return this.ended((await this.drain(resource)).recovery);
  }

  /** All that was placed is placed or waits, once, and every counter agrees with it. */
  async expectNothingLost(placed: readonly Allocation[]): Promise<void> {
    const now = await Promise.all(placed.map(({ id }) => this.allocation(id)));
    expect(now.filter(({ status }) => status !== 'placed' && status !== 'pending')).toEqual([]);
    const homes = now.filter(({ status }) => status === 'placed');
    for (const resource of await this.all()) {
      const here = homes.filter((allocation) => allocation.resource === resource.id);
      expect([resource.id, resource.used]).toEqual([resource.id, sum(here.map((a) => a.demand))]);
      expect(resource.groups).toBe(new Set(here.map((a) => a.group)).size);
      expect(within(resource.used, resource.limit)).toBe(true);
    }
    expect(await this.quotaUsed()).toEqual(sum(now.map((a) => a.demand)));
  }

  /** Each chain of the site is whole, and so are those of the given recoveries. */
  async expectAuditWhole(recoveries: readonly string[] = []): Promise<void> {
    const entities = [
      `labscape#${this.labscape}`,
      `tenant#${this.tenant}`,
      ...this.resources.map((id) => `resource#${id}`),
      ...recoveries.map((id) => `recovery#${id}`),
    ];
    for (const entity of entities) {
      const answer = await patiently(() => this.rig.admin.call('verifyChain', { query: { entity } }));
      expect({ entity, faults: answer.faults, verified: answer.verified }).toEqual({
        ...{ entity, faults: [], verified: true },
      });
    }
  }
}

function notFound(error: unknown): undefined {
  if (error instanceof Error && 'status' in error && error.status === 404) return undefined;
  throw error;
}

const POLICY = { mode: 'automatic', leaseMs: 600_000, restoreWaitMs: 1_000, coolDownMs: 0 } as const;
/** Nobody fails by silence, or is suspected of it, unless the test is about that. */
const UNHURRIED = { beatMs: 60_000 } as const;
const COMMON = 'common';
const withCommon = new WeakSet<Rig>();

const policyOf = (own: SiteOptions['policy']) => ({
  ...(own?.leaseMs === undefined ? UNHURRIED : {}),
  ...POLICY,
  ...own,
});

/** Resources of CAPACITY in a labscape that acts on its own, and a tenant with room enough. */
export async function newSite(rig: Rig, options: SiteOptions = {}): Promise<Site> {
  sites += 1;
  const id = `site${sites}`;
  const shared = options.shared === true;
  if (!shared) await rig.admin.call('joinLabscape', { body: { id, policy: policyOf(options.policy) } });
  else if (!withCommon.has(rig)) {
    withCommon.add(rig);
    await rig.admin.call('joinLabscape', { body: { id: COMMON, policy: policyOf({}) } });
  }
  const site = new Site(rig, id, shared ? COMMON : id);
  for (let i = 0; i < (options.resources ?? 1); i += 1) await site.register(options.capacity);
  await site.quota(options.quota ?? even(1_000_000), options.slices);
  return site;
}
