import { EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../../lib/audit/event.ts';
import type { AuditEvent } from '../../../lib/schemas/audit.ts';

/** Prime, and below it the numbers of allocations: each multiple leaves another rest, and they come in no order. */
const IDS = 99_999_989;
const STRIDE = 48_271_861;
const ZERO = { processing: 0, memory: 0, storage: 0, network: 0 };

/** Allocations that waited and were released, two events each, `everyMs` apart: a history that folds to nothing. At most 199,999,978 events. */
export function* eventHistory(events: number, startMs: number, everyMs: number): Generator<AuditEvent, void> {
  for (let index = 0; index < events / 2; index += 1) {
    const id = `allocation-${String((index * STRIDE) % IDS).padStart(8, '0')}`;
    const entity = entityOf.allocation('bench', id);
    const group = `group-${id}`;
    const at = Math.round(startMs + 2 * index * everyMs);
    const origin = { actor: 'bench', request: '01a2b3c4-d5e6-7f80-9a1b-2c3d4e5f6a7b', at };
    const first = nextEvent(entity, EMPTY_CHAIN, origin, 'allocation.waiting', {
      ...{ class: 'normal', demand: { ...ZERO, processing: 100 }, constraints: {}, group, born: true },
      ...{ resource: null, leaseUntil: null, requestHash: id.repeat(3) },
    });
    yield first;
    const second = { ...origin, at: Math.round(at + everyMs) };
    yield nextEvent(entity, headOf(first), second, 'allocation.released', { group, closed: true });
  }
}
