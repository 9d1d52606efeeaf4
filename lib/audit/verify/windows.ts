import type { AuditEvent } from '../../schemas/audit.ts';
import type { Seal } from '../../schemas/seal.ts';
import { hashEvent } from '../event.ts';
import { rootOf } from '../seal.ts';
import { LATE_MS_MAX } from '../window.ts';
import type { Finding } from './finding.ts';

/** An event of the table by its name, if it is there. */
export type Lookup = (entity: string, rev: number) => AuditEvent | undefined;

export const lookupIn =
  (chains: ReadonlyMap<string, readonly AuditEvent[]>): Lookup =>
  (entity, rev) => {
    const chain = chains.get(entity);
    const near = chain?.[rev - 1];
    return near?.rev === rev ? near : chain?.find((event) => event.rev === rev);
  };

/** Compares what was sealed, as the archive has it, with what the table has, seal by seal. */
export class WindowCheck {
  readonly findings: Finding[] = [];
  /** Sealed events that the table no longer has, and the archive does, where pruning is allowed. */
  readonly restored: AuditEvent[] = [];
  readonly #inTable: Lookup;
  readonly #pruning: boolean;
  /** Events of the table that a seal holds, and the number of that seal. */
  readonly #sealed = new Map<AuditEvent, number>();
  /** Number of events that are in no seal although their time is sealed: late ones, whose seal comes. */
  waiting = 0;
  unsealed = 0;

  constructor(inTable: Lookup, pruning: boolean) {
    this.#inTable = inTable;
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
    const item = `${event.entity}/${event.rev}`;
    if (hashEvent(event) !== event.hash)
      this.#add('archive', item, 'edited', `its copy in the archive, in seal ${number}, is not what it was`);
    const now = this.#inTable(event.entity, event.rev);
    if (now === undefined) {
      if (this.#pruning) this.restored.push(event);
      else this.#add('seals', item, 'deleted', `seal ${number} holds it; the archive still has it`);
      return;
    }
    if (now.hash !== event.hash) this.#add('seals', item, 'replaced', `seal ${number} holds another event`);
    const before = this.#sealed.get(now);
    if (before !== undefined)
      this.#add('seals', item, 'sealed-twice', `in seal ${before} and in seal ${number}`);
    this.#sealed.set(now, number);
  }

  /** Once all seals were taken: events of the table that no seal holds. */
  end(last: Seal | undefined, chains: ReadonlyMap<string, readonly AuditEvent[]>): void {
    const to = last?.to ?? 0;
    for (const chain of chains.values())
      for (const event of chain) {
        if (this.#sealed.has(event)) continue;
        if (event.at >= to) this.unsealed += 1;
        else if (event.at >= to - 2 * LATE_MS_MAX) this.waiting += 1;
        else
          this.#add(
            ...(['seals', `${event.entity}/${event.rev}`, 'unsealed'] as const),
            'its time was sealed long ago, and no seal holds it',
          );
      }
  }

  #add(check: Finding['check'], item: string, fault: string, why: string): void {
    this.findings.push({ check, item, fault, why });
  }
}
