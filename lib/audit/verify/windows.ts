import type { AuditEvent } from '../../schemas/audit.ts';
import type { Seal } from '../../schemas/seal.ts';
import { hashEvent } from '../event.ts';
import { rootOf } from '../seal.ts';
import { LATE_MS_MAX } from '../window.ts';
import type { EventIndex } from './event-index.ts';
import type { Finding } from './finding.ts';

/** Compares what was sealed, as the archive has it, with what the table has, seal by seal. */
export class WindowCheck {
  readonly findings: Finding[] = [];
  readonly #table: EventIndex;
  readonly #pruning: boolean;
  /** Sealed events that the table no longer has, as JSON, which is the smallest, by entity. */
  readonly #restored = new Map<string, string[]>();
  /** Number of them. */
  restored = 0;
  /** Number of events that are in no seal although their time is sealed: late ones, whose seal comes. */
  waiting = 0;
  unsealed = 0;

  /** `pruning`: where the archive has an event and the table has not, it was pruned. */
  constructor(table: EventIndex, pruning: boolean) {
    this.#table = table;
    this.#pruning = pruning;
  }

  /** `archived`: the events of the seal as the archive has them. */
  take(seal: Seal, archived: readonly AuditEvent[] | undefined): void {
    const item = `seal ${seal.number}`;
    if (archived === undefined) {
      this.#add('archive', item, 'missing', 'the archive has not the events that it seals');
      return;
    }
    if (archived.length !== seal.count || rootOf(archived) !== seal.root)
      this.#add('archive', item, 'edited', 'the events in the archive are not those that it seals');
    for (const event of archived) this.#compare(event, seal);
  }

  #compare(event: AuditEvent, { number }: Seal): void {
    const { entity, rev, hash } = event;
    const item = `${entity}/${rev}`;
    if (hashEvent(event) !== hash)
      this.#add('archive', item, 'edited', `its copy in the archive, in seal ${number}, is not what it was`);
    const slot = this.#table.find(entity, rev);
    if (slot === undefined) {
      if (this.#pruning) this.#restore(event);
      else this.#add('seals', item, 'deleted', `seal ${number} holds it; the archive still has it`);
      return;
    }
    if (!this.#table.isHash(slot, hash))
      this.#add('seals', item, 'replaced', `seal ${number} holds another event`);
    const before = this.#table.sealOf(slot);
    if (before > 0) this.#add('seals', item, 'sealed-twice', `in seal ${before} and in seal ${number}`);
    this.#table.seal(slot, number);
  }

  #restore(event: AuditEvent): void {
    const text = JSON.stringify(event);
    const before = this.#restored.get(event.entity);
    if (before === undefined) this.#restored.set(event.entity, [text]);
    else before.push(text);
    this.restored += 1;
  }

  /** Once all seals were taken: events of the table that no seal holds. */
  end(last: Seal | undefined): void {
    const to = last?.to ?? 0;
    for (const { entity, rev, at } of this.#table.unsealed()) {
      if (at >= to) this.unsealed += 1;
      else if (at >= to - 2 * LATE_MS_MAX) this.waiting += 1;
      else
        this.#add(
          ...(['seals', `${entity}/${rev}`, 'unsealed'] as const),
          'its time was sealed long ago, and no seal holds it',
        );
    }
  }

  /** An entity's events of the table, with those that only the archive has. */
  whole(entity: string, inTable: readonly AuditEvent[]): readonly AuditEvent[] {
    const restored = this.#restored.get(entity);
    if (restored === undefined) return inTable;
    const events = restored.map((text) => JSON.parse(text) as AuditEvent);
    return [...inTable, ...events].sort((a, b) => a.rev - b.rev);
  }

  /** Entities of which the table has no event any more, and the archive has. */
  *onlyArchived(): Generator<string, void> {
    for (const entity of this.#restored.keys()) if (!this.#table.has(entity)) yield entity;
  }

  #add(check: Finding['check'], item: string, fault: string, why: string): void {
    this.findings.push({ check, item, fault, why });
  }
}
