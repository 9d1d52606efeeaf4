import type { World } from '../world/world.ts';

interface Death {
  readonly at: number;
  readonly groups: Set<string>;
  endedAt: number;
}

/** Allocation-time that is asked for and that the owner runs, and how long each host's death is felt. Times are virtual ms. */
export class ServiceMeter {
  asked = 0;
  served = 0;
  readonly #world: World;
  readonly #deaths: Death[] = [];
  /** What each host that lives ran at the last look. */
  readonly #ran = new Map<string, readonly string[]>();
  #at: number;
  /** Each group's members, how many of them its owner runs, and until when it may. */
  #seen: readonly { readonly count: number; readonly running: number; readonly until: number }[] = [];

  constructor(world: World) {
    this.#world = world;
    this.#at = world.scheduler.now;
    this.#look();
  }

  /** After each step. What was seen after the step before held until now, but for leases that ran out meanwhile. */
  tick(): void {
    const { scheduler } = this.#world;
    const ms = scheduler.now - this.#at;
    if (ms > 0)
      for (const { count, running, until } of this.#seen) {
        this.asked += count * ms;
        this.served += running * Math.max(0, Math.min(ms, until - this.#at));
      }
    this.#at = scheduler.now;
    this.#look();
  }

  outagesMs(): readonly number[] {
    return this.#deaths.map(({ at, endedAt }) => endedAt - at);
  }

  #running(group: {
    readonly id: string;
    readonly resource?: string | undefined;
    readonly count: number;
  }): number {
    const { hosts, scheduler } = this.#world;
    const host = hosts.find(({ id }) => id === group.resource);
    if (host === undefined || !host.mayRun(scheduler.now)) return 0;
    return Math.min(group.count, host.running.get(group.id)?.count ?? 0);
  }

  #look(): void {
    const { hosts, scheduler, state } = this.#world;
    this.#seen = [...state.groups.values()]
      .filter(({ status }) => status !== 'closed')
      .map((group) => ({
        ...{ count: group.count, running: this.#running(group) },
        until: hosts.find(({ id }) => id === group.resource)?.leaseUntil ?? 0,
      }));
    for (const host of hosts) {
      const ran = this.#ran.get(host.id);
      if (host.alive) this.#ran.set(host.id, [...host.running.keys()]);
      else if (ran !== undefined) {
        this.#ran.delete(host.id);
        const died = { at: scheduler.now, groups: new Set(ran), endedAt: Number.POSITIVE_INFINITY };
        if (ran.length > 0) this.#deaths.push(died);
      }
    }
    for (const death of this.#deaths) {
      if (death.endedAt < Number.POSITIVE_INFINITY) continue;
      for (const id of death.groups) {
        const group = state.groups.get(id);
        const over = group === undefined || group.status === 'closed';
        if (over || (group.count > 0 && this.#running(group) === group.count)) death.groups.delete(id);
      }
      if (death.groups.size === 0) death.endedAt = scheduler.now;
    }
  }
}
