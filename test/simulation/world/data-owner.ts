import { allocationIdOf } from '../../../lib/schemas/allocation-key.ts';
import type { Stream } from './chance.ts';
import type { ApiCall } from './network.ts';
import type { Wish } from './wishes.ts';

/** Histories in which clients have data at all, and of their demands those that name some. */
const HISTORIES = 0.4;
const WITH_DATA = 0.6;
const REQUIRED = 0.7;
/** A copy is stale after this, if after any time, ms; and is so old at most when it is told. */
const MAX_AGE_MS = 15_000;
const AGED = 0.5;
const OLD_MAX_MS = 20_000;
/** A copy is on so many hosts at most; none is a replica that was lost. */
const COPIES_MAX = 2;

/** A client's data: which of its demands have some, and where it says that copies are. */
export class DataOwner {
  readonly #chance: Stream;
  readonly #hosts: readonly string[];
  readonly #has: boolean;
  readonly #keys = new Set<string>();

  constructor(chance: Stream, hosts: readonly string[]) {
    this.#chance = chance;
    this.#hosts = hosts;
    this.#has = chance.happens(HISTORIES);
  }

  /** The demand, perhaps with data, from the beginning without a copy. */
  wish(key: string, body: Wish): Wish {
    if (!this.#has || !this.#chance.happens(WITH_DATA)) return body;
    this.#keys.add(key);
    const required = this.#chance.happens(REQUIRED);
    return {
      ...body,
      data: { required, ...(this.#chance.happens(AGED) ? { maxAgeMs: MAX_AGE_MS } : {}), copies: [] },
    };
  }

  /** Where copies of one of these allocations' data are now; undefined when none has any. `now`: epoch ms. */
  told(held: readonly string[], now: number): ApiCall | undefined {
    const own = held.filter((key) => this.#keys.has(key));
    if (own.length === 0) return undefined;
    const hosts = Array.from({ length: this.#chance.below(COPIES_MAX + 1) }, () =>
      this.#chance.pick(this.#hosts),
    );
    const copies = [...new Set(hosts)].map((resource) => ({
      resource,
      asOf: now - this.#chance.below(OLD_MAX_MS),
    }));
    const params = { allocation: allocationIdOf(this.#chance.pick(own)) };
    return { operation: 'putCopies', params, body: { copies } };
  }
}
