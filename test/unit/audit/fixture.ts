import { type ChainHead, EMPTY_CHAIN, headOf, nextEvent } from '../../../lib/audit/event.ts';
import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import type { Vector } from '../../../lib/schemas/common.ts';

export const CAPACITY: Vector = { processing: 1_000, memory: 1_000, storage: 1_000, network: 1_000 };
export const demandOf = (processing: number): Vector => ({ processing, memory: 0, storage: 0, network: 0 });

/** Writes events as the control plane does: each entity's chain goes on from its last one. */
export class History {
  readonly events: AuditEvent[] = [];
  readonly heads = new Map<string, ChainHead>();
  #at = 1_700_000_000_000;

  add(entity: string, type: string, body: Record<string, unknown>): this {
    this.#at += 1;
    const origin = { actor: 'somebody', request: 'test', at: this.#at };
    const event = nextEvent(entity, this.heads.get(entity) ?? EMPTY_CHAIN, origin, type, body);
    this.events.push(event);
    this.heads.set(entity, headOf(event));
    return this;
  }

  registered(id: string, labscape = 'north'): this {
    return this.add(`resource#${id}`, 'resource.registered', {
      id,
      labscape,
      capacity: CAPACITY,
      labels: {},
    });
  }

  placed(id: string, group: string, born: boolean, resource: string, processing = 10): this {
    return this.add(`allocation#acme#${id}`, 'allocation.placed', {
      class: 'normal',
      demand: demandOf(processing),
      constraints: {},
      group,
      born,
      resource,
      leaseUntil: null,
      requestHash: 'x',
    });
  }

  flipped(
    source: string,
    moves: readonly { group: string; to: string; epoch: number }[],
    pending: readonly { group: string; epoch: number; reason: string }[] = [],
  ): this {
    return this.add(`resource#${source}`, 'resource.flipped', {
      recovery: 'r',
      moves: moves.map((move) => ({ ...move, from: source })),
      pending,
    });
  }
}

/** Two resources; two groups on the first, of which one has two members. */
export const threePlaced = (): History =>
  new History()
    .registered('north-1')
    .registered('north-2')
    .placed('a', 'g1', true, 'north-1', 10)
    .placed('b', 'g1', false, 'north-1', 20)
    .placed('c', 'g2', true, 'north-1', 40);
