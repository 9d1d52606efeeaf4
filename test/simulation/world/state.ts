import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import { itemOfLine } from '../../../lib/services/backup/lines.ts';
import { decodePrincipal, type PrincipalRecord } from '../../../lib/store/access/principals.ts';
import { decodeSlice, type QuotaSlice } from '../../../lib/store/access/tenants.ts';
import { decodeEvent } from '../../../lib/store/events.ts';
import { keptPulses } from '../../../lib/store/fleet/beat-pulses.ts';
import { decodeLabscape, type LabscapeRecord } from '../../../lib/store/fleet/labscapes.ts';
import { decodeResource, type ResourceRecord } from '../../../lib/store/fleet/resources.ts';
import { type AllocationRecord, decodeAllocation } from '../../../lib/store/placement/allocations.ts';
import { decodeGroup, type GroupRecord } from '../../../lib/store/placement/groups.ts';
import { decodeRecovery, type RecoveryRecord } from '../../../lib/store/recovery/recoveries.ts';
import type { Item } from '../../../lib/store/table/attributes.ts';
import type { Commit } from '../invariants/mirror.ts';

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
  readonly beats: Beat[];
  /** What is audited and nothing above: labscapes, tenants, principals. */
  readonly profiles: Change<Item>[];
  readonly events: AuditEvent[];
  readonly when: Moment;
}

/** Virtual times of a commit and of what led to it, ms. */
export interface Moment {
  readonly now: number;
  /** Its request was made, and the invocation `by` began. */
  readonly madeAt: number;
  readonly beganAt: number;
  readonly by: string;
}

/** A batch that was taken in: sequence numbers of its agent before and after, and the resources that it speaks for. */
export interface Beat {
  readonly agent: string;
  readonly before: number;
  readonly after: number;
  readonly resources: readonly string[];
}

const PROFILE = /^(TENANT|PRINCIPAL)#/;
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
  readonly principals = new Map<string, PrincipalRecord>();
  /** Items of labscapes, tenants and principals, by entity. */
  readonly profiles = new Map<string, Item>();
  readonly events: AuditEvent[] = [];

  /** Nothing is known any more. */
  clear(): void {
    for (const map of [this.resources, this.groups, this.allocations, this.recoveries]) map.clear();
    for (const map of [this.labscapes, this.slices, this.principals, this.profiles]) map.clear();
    this.events.length = 0;
  }

  apply(commit: Commit, when: Moment): Changes {
    const changes: Changes = {
      resources: [],
      groups: [],
      allocations: [],
      recoveries: [],
      slices: [],
      beats: [],
      profiles: [],
      events: [],
      when,
    };
    for (const { before, after } of commit.writes) this.#take(before, after, changes);
    return changes;
  }

  #take(before: Item | undefined, item: Item, changes: Changes): void {
    const pk = item['pk']?.S ?? '';
    const sk = item['sk']?.S ?? '';
    if (pk === 'LABS' || (PROFILE.test(pk) && !SLICE.test(pk)))
      put(this.profiles, pk === 'LABS' ? sk : pk, item, changes.profiles);
    if (item['entity'] !== undefined) {
      const event = decodeEvent(item);
      this.events.push(event);
      changes.events.push(event);
    } else if (pk.startsWith('LAB#'))
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
    else if (pk.startsWith('PRINCIPAL#')) this.principals.set(pk.slice(10), decodePrincipal(item));
    else if (pk.startsWith('BEAT#')) changes.beats.push(...beatOf(before ?? {}, item));
  }
}

/** Commits are seen as they go over the wire, where what is binary is in base64. */
const asStored = (item: Item): Item => itemOfLine(JSON.stringify(item));

/** A beat is written with a pulse for each of its resources; a pulse that stays the same tells nothing new. */
const beatOf = (before: Item, after: Item): readonly Beat[] => {
  const [old, young] = [keptPulses(asStored(before)), keptPulses(asStored(after))];
  const resources = [...young.pulses]
    .filter(([id, pulse]) => JSON.stringify(pulse) !== JSON.stringify(old.pulses.get(id)))
    .map(([id]) => id);
  // One that is written again as it was is a beat as well, and a wrong one.
  return [...young.kept.seqs]
    .filter(([agent]) => before[`a_${agent}`] !== after[`a_${agent}`])
    .map(([agent, seq]) => ({ agent, before: old.kept.seqs.get(agent) ?? 0, after: seq, resources }));
};

const put = <T>(into: Map<string, T>, key: string, after: T, changes: Change<T>[]): void => {
  changes.push({ before: into.get(key), after });
  into.set(key, after);
};
