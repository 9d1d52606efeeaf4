import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { ApiProblem } from '../../lib/client/api-error.ts';
import type { Allocation } from '../../lib/schemas/allocation.ts';
import type { Recovery } from '../../lib/schemas/recovery.ts';
import { type Rig, until } from '../api/rig.ts';
import { ScriptedAgent } from '../api/scripted-agent.ts';
import type { Site } from '../api/site.ts';

/** Quick beats and short leases: a silence that would be a failure is soon reached. */
export const PACE = { beatMs: 200, leaseMs: 1_000 } as const;

/** Agents that go on beating whatever they are answered, run what they are given and answer orders, as real ones do. */
export class Beating {
  readonly #rig: Rig;
  readonly #loops = new Map<string, { stopped: boolean; ended: Promise<void> }>();
  readonly #accepted = new Map<string, number>();
  readonly #tried = new Map<string, number>();
  /** What beats were refused with, e.g. `503 unavailable`. */
  readonly refusals = new Set<string>();
  /** What else went wrong: an answer that is no problem, or none. */
  readonly faults: string[] = [];

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  /** A resource begins to beat, or each of the site's. */
  start(site: Site, resources: readonly string[] = site.resources): void {
    for (const resource of resources) {
      const loop = { stopped: false, ended: Promise.resolve() };
      this.#loops.set(resource, loop);
      loop.ended = this.#run(loop, new ScriptedAgent(this.#rig, site, resource), resource);
    }
  }

  async #run(loop: { stopped: boolean }, agent: ScriptedAgent, resource: string): Promise<void> {
    let revision = 0;
    while (!loop.stopped) {
      try {
        const { resources, orders } = await agent.beat();
        const [own] = resources;
        if (own !== undefined && own.assignmentRevision !== revision) {
          revision = own.assignmentRevision;
          agent.epoch = own.epoch;
          await agent.runAll();
        }
        for (const order of orders) await agent.answer(order, 'restored');
        this.#accepted.set(resource, (this.#accepted.get(resource) ?? 0) + 1);
      } catch (error) {
        if (error instanceof ApiProblem) this.refusals.add(`${error.status} ${error.code}`);
        else this.faults.push(String(error));
      }
      this.#tried.set(resource, (this.#tried.get(resource) ?? 0) + 1);
      await sleep(PACE.beatMs);
    }
  }

  /** Waits until each that beats had so many more beats accepted. */
  more(beats: number): Promise<void> {
    return this.#until(this.#accepted, beats);
  }

  /** Waits until each that beats has sent so many more, whatever they were answered. */
  tried(beats: number): Promise<void> {
    return this.#until(this.#tried, beats);
  }

  async #until(counts: ReadonlyMap<string, number>, beats: number): Promise<void> {
    const goals = [...this.#loops.keys()].map((id) => ({ id, goal: (counts.get(id) ?? 0) + beats }));
    for (const { id, goal } of goals)
      await until(`${beats} more beats of ${id}`, async () =>
        (counts.get(id) ?? 0) >= goal ? true : undefined,
      );
  }

  /** The resource's host is gone: nothing is heard of it any more. */
  async silence(resource: string): Promise<void> {
    const loop = this.#loops.get(resource);
    this.#loops.delete(resource);
    if (loop === undefined) throw new Error(`${resource} does not beat`);
    loop.stopped = true;
    await loop.ended;
  }

  async stop(): Promise<void> {
    for (const resource of [...this.#loops.keys()]) await this.silence(resource);
  }
}

/** Silences a resource for good, and sees its recovery through to the end. */
export async function loseForGood(beating: Beating, site: Site, resource: string): Promise<Recovery> {
  const { epoch } = await site.resource(resource);
  await beating.silence(resource);
  return site.ended(`${resource}-${epoch}-1`);
}

/**
 * What ran there runs elsewhere: at once or, where a stall of this machine made suspects of the others, which take
 * nothing, out of the queue.
 */
export async function expectRehomed(
  site: Site,
  { status, pending }: Recovery,
  placed: readonly Allocation[],
): Promise<void> {
  expect(pending.filter(({ reason }) => reason !== 'not-healthy')).toEqual([]);
  expect(status).toBe(pending.length === 0 ? 'done' : 'degraded');
  await until('all is placed', async () => {
    const now = await Promise.all(placed.map(({ id }) => site.allocation(id)));
    return now.every((allocation) => allocation.status === 'placed') ? true : undefined;
  });
  await site.expectNothingLost(placed);
}

/** More than two leases in which beats come in and the sweep judges everybody: enough for every false verdict. */
export async function letItJudge(rig: Rig, beating: Beating): Promise<void> {
  const beats = Math.ceil((2.5 * PACE.leaseMs) / PACE.beatMs);
  for (let beat = 0; beat < beats; beat += 1) {
    await beating.more(1);
    await rig.invoke('sweep', {});
  }
}
