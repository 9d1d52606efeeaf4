import type { AuditEvent } from '../../lib/schemas/audit.ts';
import { type AllocationRecord, decodeAllocation } from '../../lib/store/allocations.ts';
import type { Item } from '../../lib/store/attributes.ts';
import { decodeEvent } from '../../lib/store/events.ts';
import { decodeGroup, type GroupRecord } from '../../lib/store/groups.ts';
import { decodeLabscape, type LabscapeRecord } from '../../lib/store/labscapes.ts';
import { decodeRecovery, type RecoveryRecord } from '../../lib/store/recoveries.ts';
import { decodeResource, type ResourceRecord } from '../../lib/store/resources.ts';
import { decodeSlice, type QuotaSlice } from '../../lib/store/tenants.ts';
import type { Commit } from './mirror.ts';

export interface Change<T> {
  readonly before: T | undefined;
  readonly after: T;
}

/** What one commit did, in the words of the domain. */
export interface Changes {
  readonly resources: Change<ResourceRecord>[];
  readonly groups: Change<GroupRecord>[];
  readonly allocations: Change<AllocationRecord>[];
  readonly recoveries: Change<RecoveryRecord>[];
  readonly slices: Change<QuotaSlice & { readonly tenant: string }>[];
  readonly events: AuditEvent[];
}

/** Attributes of a heartbeat item that hold a resource's pulse. */
const PULSE = 'r_';
const SLICE = /^TENANT#(.+)#\d+$/;

/** The whole state after the last commit. */
export class State {
  readonly resources = new Map<string, ResourceRecord>();
  readonly groups = new Map<string, GroupRecord>();
  readonly allocations = new Map<string, AllocationRecord>();
  readonly recoveries = new Map<string, RecoveryRecord>();
  readonly labscapes = new Map<string, LabscapeRecord>();
  /** By item key. */
  readonly slices = new Map<string, QuotaSlice & { readonly tenant: string }>();
  readonly events: AuditEvent[] = [];
  /** Virtual time of the last accepted beat, by resource. */
  readonly heardAt = new Map<string, number>();

  apply(commit: Commit, now: number): Changes {
    const changes: Changes = {
      resources: [],
      groups: [],
      allocations: [],
      recoveries: [],
      slices: [],
      events: [],
    };
    for (const { after } of commit.writes) this.#take(after, changes, now);
    return changes;
  }

  #take(item: Item, changes: Changes, now: number): void {
    const pk = item['pk']?.S ?? '';
    const sk = item['sk']?.S ?? '';
    if (item['entity'] !== undefined) {
      const event = decodeEvent(item);
      this.events.push(event);
      changes.events.push(event);
    } else if (sk.startsWith('RES#'))
      put(this.resources, sk.slice(4), decodeResource(item), changes.resources);
    else if (pk.startsWith('GRP#')) put(this.groups, pk.slice(4), decodeGroup(item), changes.groups);
    else if (sk.startsWith('ALLOC#')) {
      const allocation = decodeAllocation(item);
      put(this.allocations, `${allocation.tenant}#${allocation.id}`, allocation, changes.allocations);
    } else if (pk.startsWith('REC#'))
      put(this.recoveries, pk.slice(4), decodeRecovery(item), changes.recoveries);
    else if (SLICE.test(pk)) {
      const tenant = SLICE.exec(pk)?.[1] ?? '';
      put(this.slices, pk, { ...decodeSlice(item), tenant }, changes.slices);
    } else if (pk === 'LABS') this.labscapes.set(sk.slice(4), decodeLabscape(item));
    else if (pk.startsWith('BEAT#')) this.#hear(item, now);
  }

  /** A pulse that changed was written by a beat. */
  readonly #pulses = new Map<string, string>();
  #hear(item: Item, now: number): void {
    for (const [name, value] of Object.entries(item)) {
      if (!name.startsWith(PULSE) || this.#pulses.get(name) === value.S) continue;
      this.#pulses.set(name, value.S ?? '');
      this.heardAt.set(name.slice(PULSE.length), now);
    }
  }
}

const put = <T>(into: Map<string, T>, key: string, after: T, changes: Change<T>[]): void => {
  changes.push({ before: into.get(key), after });
  into.set(key, after);
};
