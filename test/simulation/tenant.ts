import { allocationIdOf } from '../../lib/services/allocation-draft.ts';
import type { Stream } from './chance.ts';
import type { Network } from './network.ts';
import type { Scheduler } from './scheduler.ts';

/** What a client knows of a demand it made. `asked`, `releasing`: it does not know yet. */
export type Known = 'asked' | 'accepted' | 'refused' | 'releasing' | 'released';

const CLASSES = ['critical', 'high', 'normal', 'low'] as const;
const AGAIN_MS = 1_000;
const THINK_MS = 2_500;
const DEMAND_MAX = 900;
/** What a client holds at most, so that a history has both arrivals and departures. */
const HELD_MAX = 10;

/** A client that places and releases work, asks again with the same key until it knows, and remembers what it was told. */
export class SimulatedTenant {
  readonly id: string;
  readonly ledger = new Map<string, Known>();
  active = true;
  readonly #scheduler: Scheduler;
  readonly #network: Network;
  readonly #chance: Stream;
  #count = 0;

  constructor(id: string, deps: { scheduler: Scheduler; network: Network; chance: Stream }) {
    this.id = id;
    this.#scheduler = deps.scheduler;
    this.#network = deps.network;
    this.#chance = deps.chance;
  }

  start(): void {
    this.#later(1 + this.#chance.below(THINK_MS), 'thinks', () => this.#think());
  }

  /** Whether it waits to learn the outcome of something. */
  get wonders(): boolean {
    return [...this.ledger.values()].some((known) => known === 'asked' || known === 'releasing');
  }

  #later(ms: number, label: string, run: () => void): void {
    this.#scheduler.after(ms, `${this.id} ${label}`, run);
  }

  #think(): void {
    if (!this.active) return;
    this.#later(1 + this.#chance.below(THINK_MS), 'thinks', () => this.#think());
    const held = [...this.ledger].filter(([, known]) => known === 'accepted').map(([key]) => key);
    if (held.length >= HELD_MAX || (held.length > 2 && this.#chance.happens(0.35)))
      this.#release(this.#chance.pick(held));
    else this.#ask();
  }

  #ask(): void {
    this.#count += 1;
    const key = `${this.id}-${this.#count}`;
    const size = (): number => 1 + this.#chance.below(DEMAND_MAX);
    const demand = { processing: size(), memory: size(), storage: size(), network: size() };
    const wait = this.#chance.happens(0.2) ? { onFull: 'wait' } : {};
    const body = { demand, class: this.#chance.pick(CLASSES), ...wait };
    this.ledger.set(key, 'asked');
    void this.#try(key, body);
  }

  async #try(key: string, body: unknown): Promise<void> {
    const headers = { 'idempotency-key': key };
    const reply = await this.#network.send(this.#caller, { operation: 'allocate', body, headers });
    const known =
      reply.kind === 'lost' || reply.status >= 500 ? undefined : reply.status < 300 ? 'accepted' : 'refused';
    if (known === undefined) this.#later(AGAIN_MS, `asks again for ${key}`, () => void this.#try(key, body));
    else this.ledger.set(key, known);
  }

  #release(key: string): void {
    this.ledger.set(key, 'releasing');
    void this.#tryRelease(key);
  }

  async #tryRelease(key: string): Promise<void> {
    const reply = await this.#network.send(this.#caller, {
      operation: 'releaseAllocation',
      params: { allocation: allocationIdOf(key) },
    });
    if (reply.kind === 'answer' && reply.status < 300) this.ledger.set(key, 'released');
    else this.#later(AGAIN_MS, `releases ${key} again`, () => void this.#tryRelease(key));
  }

  get #caller() {
    return { principal: `client-${this.id}`, roles: 'tenant', tenant: this.id };
  }
}
