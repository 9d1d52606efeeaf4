import type { AuditEvent } from '../../schemas/audit.ts';

const HASH_BYTES = 32;
const SLOTS_FIRST = 1_024;

/** What is kept of an event of the table until the archive was looked at, by its place in the index. */
export type Slot = number;

/**
 * The events of the table by name, in about 100 bytes each where the events themselves take thousands: only so fit
 * millions. An entity's events have neighbouring slots, in the order of their revisions.
 */
export class EventIndex {
  /** Chains by entity, numbered as they came; a chain's slots end where those of the next begin. */
  readonly #chains = new Map<string, number>();
  readonly #starts: number[] = [];
  #revs = new Uint32Array(SLOTS_FIRST);
  #times = new Float64Array(SLOTS_FIRST);
  #seals = new Uint32Array(SLOTS_FIRST);
  #hashes = Buffer.alloc(SLOTS_FIRST * HASH_BYTES);
  size = 0;

  get chains(): number {
    return this.#chains.size;
  }

  has(entity: string): boolean {
    return this.#chains.has(entity);
  }

  /** Takes an entity's events, in order of their revisions; each entity once. */
  add(entity: string, chain: readonly Pick<AuditEvent, 'rev' | 'at' | 'hash'>[]): void {
    this.#chains.set(entity, this.#starts.length);
    this.#starts.push(this.size);
    for (const { rev, at, hash } of chain) {
      const slot = this.size;
      if (slot === this.#revs.length) this.#grow();
      this.#revs[slot] = rev;
      this.#times[slot] = at;
      this.#hashes.write(hash, slot * HASH_BYTES, HASH_BYTES, 'hex');
      this.size += 1;
    }
  }

  find(entity: string, rev: number): Slot | undefined {
    const chain = this.#chains.get(entity);
    if (chain === undefined) return undefined;
    const [start, end] = this.#span(chain);
    const near = start + rev - 1;
    if (near < end && this.#revs[near] === rev) return near;
    for (let slot = start; slot < end; slot += 1) if (this.#revs[slot] === rev) return slot;
    return undefined;
  }

  /** Whether the table's event has this hash, 64 hex digits. */
  isHash(slot: Slot, hash: string): boolean {
    const at = slot * HASH_BYTES;
    return this.#hashes.toString('hex', at, at + HASH_BYTES) === hash;
  }

  /** Number of the seal that holds it; 0: none yet. */
  sealOf(slot: Slot): number {
    return this.#seals[slot] ?? 0;
  }

  seal(slot: Slot, number: number): void {
    this.#seals[slot] = number;
  }

  /** Events that no seal holds. */
  *unsealed(): Generator<Pick<AuditEvent, 'entity' | 'rev' | 'at'>, void> {
    for (const [entity, chain] of this.#chains) {
      const [start, end] = this.#span(chain);
      for (let slot = start; slot < end; slot += 1)
        if (this.#seals[slot] === 0) yield { entity, rev: this.#revs[slot] ?? 0, at: this.#times[slot] ?? 0 };
    }
  }

  #span(chain: number): readonly [Slot, Slot] {
    return [this.#starts[chain] ?? 0, this.#starts[chain + 1] ?? this.size];
  }

  #grow(): void {
    const slots = 2 * this.#revs.length;
    const larger = <T extends Uint32Array | Float64Array | Uint8Array>(next: T, from: T): T => {
      next.set(from);
      return next;
    };
    this.#revs = larger(new Uint32Array(slots), this.#revs);
    this.#times = larger(new Float64Array(slots), this.#times);
    this.#seals = larger(new Uint32Array(slots), this.#seals);
    this.#hashes = larger(Buffer.alloc(slots * HASH_BYTES), this.#hashes);
  }
}
