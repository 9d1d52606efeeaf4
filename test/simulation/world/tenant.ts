import { allocationIdOf } from '../../../lib/schemas/allocation-key.ts';
import type { TenancyWatch } from '../invariants/invariants-tenancy.ts';
import type { Stream } from './chance.ts';
import type { DataOwner } from './data-owner.ts';
import type { ApiCall, Network } from './network.ts';
import type { Scheduler } from './scheduler.ts';
import { wishesOf } from './wishes.ts';

/**
 * What a client knows of a demand it made. `asked`, `releasing`: it does not know yet. `doubtful`: refused, but an
 * earlier or second delivery of the same request may still be on its way; refusals are not remembered.
 */
export type Known = 'asked' | 'accepted' | 'refused' | 'doubtful' | 'releasing' | 'released';

const AGAIN_MS = 1_000;
const THINK_MS = 2_500;
/** Thoughts that only look, at what is its own or somebody else's. */
const LOOKS = 0.15;
const LEASE_MS = 60_000;
/** Answers that a client gets to what is none of its business. */
const REVOKED = 403;
const NOT_THERE = 404;
const NOT_YOURS: readonly number[] = [403, 404];
/** What a client holds at most, so that a history has both arrivals and departures. */
const HELD_MAX = 14;

/** One request for allocations, and the key of each. */
interface Asked {
  readonly operation: 'allocate' | 'allocateBatch';
  readonly key: string;
  readonly keys: readonly string[];
  readonly body: unknown;
}

export interface TenantDeps {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly chance: Stream;
  readonly tenancy: TenancyWatch;
  readonly data: DataOwner;
  /** Its own clock, epoch ms. */
  readonly wallMs: () => number;
  readonly others: () => readonly SimulatedTenant[];
  /** Hears of an answer that it should never have got. */
  readonly onWrong: (what: string) => void;
}

/**
 * A client that places and releases work, asks again with the same key until it knows, and remembers what it was told.
 * Now and then it tries what belongs to another tenant.
 */
export class SimulatedTenant {
  readonly id: string;
  readonly ledger = new Map<string, Known>();
  /** What was lost while it waited for an answer, which then told of what had been. */
  readonly misled = new Set<string>();
  active = true;
  readonly #scheduler: Scheduler;
  readonly #network: Network;
  readonly #chance: Stream;
  readonly #deps: TenantDeps;
  #count = 0;

  constructor(id: string, deps: TenantDeps) {
    this.id = id;
    this.#deps = deps;
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
    const { held } = this;
    if (this.#chance.happens(LOOKS)) void this.#look();
    const copies = this.#deps.data.told(held, this.#deps.wallMs());
    if (copies !== undefined) void this.#network.send(this.#caller, copies);
    if (held.length >= HELD_MAX || (held.length > 2 && this.#chance.happens(0.35)))
      this.#release(this.#chance.pick(held));
    else this.#ask();
  }

  get held(): readonly string[] {
    return [...this.ledger].filter(([, known]) => known === 'accepted').map(([key]) => key);
  }

  /** It is told that this one was lost, and knows of it no more. */
  forget(key: string): void {
    this.ledger.delete(key);
  }

  /** Gives back one of these allocations, now. */
  leave(ids: ReadonlySet<string>): void {
    const held = this.held.filter((key) => ids.has(allocationIdOf(key)));
    if (this.active && held.length > 0) this.#release(this.#chance.pick(held), true);
  }

  /** At what is its own, or tries what is not: by its id alone, or naming the other tenant as well. */
  async #look(): Promise<void> {
    const [other] = this.#deps.others();
    const foreign = this.#chance.happens(0.7) ? (other?.held ?? []) : [];
    const held = foreign.length > 0 ? foreign : this.held;
    if (held.length === 0) return;
    const params = { allocation: allocationIdOf(this.#chance.pick(held)) };
    const query = other !== undefined && this.#chance.happens(0.5) ? { tenant: other.id } : {};
    const operations = ['getAllocation', 'releaseAllocation', 'renewAllocation'] as const;
    const operation = foreign.length === 0 ? 'getAllocation' : this.#chance.pick(operations);
    const body = operation === 'renewAllocation' ? { body: { leaseMs: LEASE_MS } } : {};
    const call: ApiCall = { operation, params, ...(foreign.length === 0 ? {} : { query }), ...body };
    const { principal } = this.#caller;
    const revokedAt = this.#deps.tenancy.revokedAt(principal);
    const reply = await this.#network.send(this.#caller, call);
    if (reply.kind === 'lost' || reply.status >= 500) return;
    if (foreign.length > 0 && !NOT_YOURS.includes(reply.status))
      this.#deps.onWrong(`${principal} is answered ${reply.status} to ${operation} of ${other?.id}`);
    const stillRevoked = revokedAt !== undefined && this.#deps.tenancy.revokedAt(principal) === revokedAt;
    if (stillRevoked && reply.status < 400)
      this.#deps.onWrong(`${principal} is revoked and is answered ${reply.status} to ${operation}`);
  }

  #ask(): void {
    const { gang, bodies } = wishesOf(this.#chance);
    for (const wish of gang ? [{ mode: 'gang', items: bodies }] : bodies) {
      this.#count += 1;
      const key = `${this.id}-${this.#count}`;
      const body = gang ? wish : this.#deps.data.wish(key, wish);
      // A member's key is made from the batch's.
      const keys = gang ? bodies.map((_, index) => `${key}/${index}`) : [key];
      for (const own of keys) this.ledger.set(own, 'asked');
      void this.#try({ operation: gang ? 'allocateBatch' : 'allocate', key, keys, body });
    }
  }

  async #try(asked: Asked, again = false): Promise<void> {
    const { operation, key, keys, body } = asked;
    const headers = { 'idempotency-key': key };
    const reply = await this.#network.send(this.#caller, { operation, body, headers });
    if (!keys.some((own) => this.ledger.has(own))) return;
    const known =
      reply.kind === 'lost' || reply.status >= 500 || reply.status === REVOKED
        ? undefined
        : reply.status < 300
          ? 'accepted'
          : again || reply.doubled
            ? 'doubtful'
            : 'refused';
    if (known === undefined)
      this.#later(AGAIN_MS, `asks again for ${key}`, () => void this.#try(asked, true));
    else for (const own of keys) this.ledger.set(own, known);
  }

  #release(key: string, atOnce = false): void {
    this.ledger.set(key, 'releasing');
    void this.#tryRelease(key, atOnce);
  }

  async #tryRelease(key: string, atOnce = false): Promise<void> {
    const reply = await this.#network.send(this.#caller, {
      operation: 'releaseAllocation',
      atOnce,
      params: { allocation: allocationIdOf(key) },
    });
    if (!this.ledger.has(key)) return;
    if (reply.kind === 'answer' && reply.status === NOT_THERE && this.misled.has(key)) this.forget(key);
    else if (reply.kind === 'answer' && reply.status < 300) this.ledger.set(key, 'released');
    else this.#later(AGAIN_MS, `releases ${key} again`, () => void this.#tryRelease(key));
  }

  get #caller() {
    return { principal: `client-${this.id}`, roles: 'tenant', tenant: this.id };
  }
}
