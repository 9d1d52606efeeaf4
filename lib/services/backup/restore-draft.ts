import { type ChainHead, EMPTY_CHAIN, entityOf, headOf, nextEvent } from '../../audit/event.ts';
import { RESTORED } from '../../audit/fold-events.ts';
import type { FoldedGroup, FoldedState } from '../../audit/fold-state.ts';
import { holdEndsAt } from '../../failover/fencing.ts';
import { isEnded } from '../../failover/recovery-status.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import {
  freshBeats,
  restoredGroup,
  restoredRecovery,
  restoredResource,
} from '../../store/backup/restored.ts';
import { decodeRun, runItem } from '../../store/backup/runs.ts';
import { chainHeadOf } from '../../store/chain-heads.ts';
import { decodeRecovery } from '../../store/recovery/recoveries.ts';
import { type Item, num, str } from '../../store/table/attributes.ts';
import { headsOf } from './cut.ts';
import { isLockLost } from './lost-locks.ts';
import { repairSlices } from './lost-slices.ts';
import { raising } from './raised-epochs.ts';
import type { RestoredItem, RestoredUnit, RestoreInput, RestorePlan, RestoreView } from './restore-types.ts';
import { keyOf, sortItems } from './sorted.ts';

/** Groups that one event of a restore names: each is an item of its transaction. */
const PENDING_MAX = 90;

/** Collects what is to be written. */
export class RestoreDraft {
  readonly #input: RestoreInput;
  readonly #folded: FoldedState;
  readonly #heads: ReturnType<typeof headsOf>;
  readonly #busy: ReadonlySet<string>;
  readonly #seen: ReadonlyMap<string, Item>;
  readonly #items: RestoredItem[] = [];
  readonly #units: RestoredUnit[] = [];
  readonly #conflicts: string[] = [];
  readonly #entities = new Set<string>();
  /** They are called off together with their resources, whose locks they hold. */
  readonly #lostRecoveries: Item[] = [];
  /** Resources and groups as they shall be, by sort key. */
  readonly #targets: ReadonlyMap<string, Item>;
  /** The longest that anybody may have, ms. */
  readonly #leaseMs: number;
  readonly #raise: (known: number) => number;

  constructor(input: RestoreInput, view: RestoreView) {
    this.#input = input;
    this.#folded = view.folded;
    this.#heads = headsOf(view.events);
    this.#busy = view.busy;
    this.#seen = view.seen;
    this.#targets = view.targets;
    this.#leaseMs = view.leaseMs;
    this.#raise = raising(input);
  }

  plan(): Omit<RestorePlan, 'events' | 'newer'> {
    return { items: this.#items, units: this.#units, conflicts: this.#conflicts };
  }

  /** Whether a missing event belongs to what is restored. */
  readonly concerns = ({ entity }: AuditEvent): boolean => this.#entities.has(entity);

  take(wrong: readonly Item[]): void {
    const sorted = sortItems(wrong);
    for (const [id, item] of sorted.allocations) {
      const group = str(item, 'group');
      if (this.#skips(`allocation ${id}`, `allocation#${id}`, group)) continue;
      this.#entities.add(`allocation#${id}`);
      this.#one(item);
    }
    for (const item of sorted.locators.values()) this.#one(item);
    for (const item of sorted.tenants.values())
      if (!this.#isOlder(item) && !this.#isBusy(item)) this.#one(item);
    for (const [tenant, slices] of sorted.slices) this.#slices(tenant, slices, sorted.tenants.get(tenant));
    for (const item of sorted.others) if (!this.#isOlder(item) && !this.#isBusy(item)) this.#other(item);
    this.#placed(sorted.resources, sorted.groups);
    this.#waiting(sorted.groups);
  }

  #one(item: Item): void {
    this.#items.push({ item, seen: this.#seen.get(keyOf(item)) });
  }

  #slices(id: string, slices: readonly Item[], restored: Item | undefined): void {
    const { items, conflicts } = repairSlices(id, slices, { restored, busy: this.#busy, seen: this.#seen });
    for (const item of items) this.#one(item);
    this.#conflicts.push(...conflicts);
  }

  #skips(what: string, ...names: readonly string[]): boolean {
    const busy = names.some((name) => this.#busy.has(name));
    if (busy)
      this.#conflicts.push(`${what} changes just now and is newer than the plan: it is left, plan again`);
    return busy;
  }

  /** What neither work nor its events tell: of what changed after the backup nobody knows the item, a plan's, say. */
  #isOlder(item: Item): boolean {
    const audited = chainHeadOf(item);
    const isOlder = audited !== undefined && (this.#heads.get(audited.entity)?.rev ?? 0) > audited.rev;
    if (isOlder)
      this.#conflicts.push(`${audited.entity}: it changed after the backup; it is left, write it anew`);
    return isOlder;
  }

  #isBusy(item: Item): boolean {
    const audited = chainHeadOf(item);
    return audited !== undefined && this.#skips(audited.entity, audited.entity);
  }

  #other(item: Item): void {
    const pk = str(item, 'pk');
    if (pk.startsWith('BEAT#')) this.#one(freshBeats(item, this.#input.origin.at));
    else if (pk.startsWith('REC#')) this.#recovery(item);
    else if (str(item, 'sk').startsWith('BACKUP#')) this.#run(item);
    // Who held the claim when the backup was taken holds it no more.
    else if (str(item, 'sk') !== 'CLAIM') this.#one(item);
  }

  /** Its execution is gone: it is called off, and the sweep starts another where one is due. */
  #recovery(item: Item): void {
    const recovery = decodeRecovery(item);
    if (isEnded(recovery.status)) {
      this.#one(item);
      return;
    }
    const home = this.#targets.get(`RES#${recovery.resource}`);
    if (home !== undefined && this.#seen.get(keyOf(home))?.['recovery']?.S === recovery.id) {
      this.#lostRecoveries.push(item);
      return;
    }
    const { restored, event } = this.#calledOff(item);
    this.#units.push({ what: `recovery ${recovery.id}`, items: [restored], events: [event] });
  }

  #calledOff(item: Item): { readonly restored: RestoredItem; readonly event: AuditEvent } {
    const { id, chain, resource } = decodeRecovery(item);
    const reason = `restored from backup ${this.#input.id}`;
    const event = this.#event(entityOf.recovery(id), chain, 'recovery.cancelled', { resource, reason });
    return {
      restored: { item: restoredRecovery(item, event, reason), seen: this.#seen.get(keyOf(item)) },
      event,
    };
  }

  /** One that was asked for, or was the backup itself, is not done again under its old name. */
  #run(item: Item): void {
    const { run, chain } = decodeRun(item);
    if (run.status !== 'requested') {
      this.#one(item);
      return;
    }
    const { at } = this.#input.origin;
    const why = `restored from backup ${this.#input.id}: ask again`;
    const ended = { ...run, status: 'failed' as const, endedAt: at, why };
    const event = this.#event(entityOf.backup(run.id), chain, 'backup.failed', { why });
    this.#units.push({
      what: `${run.kind} ${run.id}`,
      items: [{ item: runItem(ended, event), seen: undefined }],
      events: [event],
    });
  }

  /** By the name of the backup a later restore from it knows that this one wrote it, see raised-epochs.ts. */
  #event(
    entity: string,
    chain: ChainHead,
    type: string,
    body: Readonly<Record<string, unknown>>,
  ): AuditEvent {
    const { id, origin } = this.#input;
    return nextEvent(entity, chain, origin, type, { ...body, backup: id });
  }

  /** A resource of which anything is wrong is restored as a whole. */
  #placed(resources: ReadonlyMap<string, Item>, groups: ReadonlyMap<string, Item>): void {
    const touched = new Set(resources.keys());
    for (const [id, item] of groups) {
      const then = this.#folded.groups.get(id);
      if (then?.status === 'placed' && then.resource !== undefined) touched.add(then.resource);
      else if (then?.status === 'closed' && !this.#skips(`group ${id}`, id)) this.#one(item);
    }
    for (const id of touched) this.#resource(id);
  }

  #resource(id: string): void {
    const then = this.#folded.resources.get(id);
    const item = this.#targets.get(`RES#${id}`);
    if (then === undefined || item === undefined) return;
    const live = this.#seen.get(keyOf(item));
    if (live?.['recovery'] !== undefined && !isLockLost(live, this.#seen)) {
      this.#conflicts.push(`resource ${id}: recovery ${str(live, 'recovery')} owns it; wait for its end`);
      this.#lostGroups(then.groups);
      return;
    }
    if (this.#skips(`resource ${id}`, entityOf.resource(id), ...then.groups)) return;
    const groups = then.groups.flatMap((group) => this.#folded.groups.get(group) ?? []);
    const epoch = this.#raise(Math.max(then.epoch, live === undefined ? 0 : num(live, 'epoch')));
    const revision = this.#revisionOf(item, live);
    const moves = groups.map((group) => ({
      ...{ group: group.id, from: id, to: id, epoch: this.#epochOf(group) },
      ...(group.deviceMap === undefined ? {} : { devices: [...group.deviceMap] }),
    }));
    const to = then.status === 'recovering' ? 'failed' : then.status;
    const chain = this.#heads.get(entityOf.resource(id)) ?? EMPTY_CHAIN;
    const body = { epoch, to, moves, pending: [] };
    const event = this.#event(entityOf.resource(id), chain, RESTORED, body);
    this.#entities.add(entityOf.resource(id));
    // A recovery whose resource was lost has lost its lock with it, and one that was lost itself cannot give it back.
    const running = live === undefined ? this.#runningFor(id) : this.#lostFor(id);
    const orphans = running.map((one) => this.#calledOff(one));
    this.#units.push({
      what: `resource ${id}`,
      items: [
        { item: restoredResource(item, event, { to, epoch, revision }, live), seen: live },
        ...groups.flatMap((group) => this.#group(group)),
        ...orphans.map(({ restored }) => restored),
      ],
      events: [event, ...orphans.map((orphan) => orphan.event)],
    });
  }

  /**
   * Changes of a resource's list are not audited: of an item that is lost nobody knows how many there were, and its agent
   * passes over a list that seems older than its own. But there is none twice within a millisecond.
   */
  #revisionOf(item: Item, live: Item | undefined): number {
    const known = this.#raise(
      Math.max(num(item, 'assignRev'), live === undefined ? 0 : num(live, 'assignRev')),
    );
    return live === undefined ? Math.max(known, this.#input.origin.at) : known;
  }

  /**
   * A recovery cannot end while a group that it moves is lost. Nobody can have written to that since, so it is put back
   * as it was, under its epoch.
   */
  #lostGroups(ids: readonly string[]): void {
    for (const id of ids) {
      const item = this.#targets.get(`GRP#${id}`);
      if (item === undefined || this.#seen.has(keyOf(item)) || this.#busy.has(id)) continue;
      const heldUntil = holdEndsAt(this.#input.origin.at, this.#leaseMs);
      this.#one(restoredGroup(item, num(item, 'epoch'), heldUntil, undefined));
    }
  }

  #lostFor(resource: string): readonly Item[] {
    return this.#lostRecoveries.filter((item) => decodeRecovery(item).resource === resource);
  }

  #runningFor(resource: string): readonly Item[] {
    return [...this.#seen.values()].filter((item) => {
      if (!item['pk']?.S?.startsWith('REC#')) return false;
      const recovery = decodeRecovery(item);
      return recovery.resource === resource && !isEnded(recovery.status);
    });
  }

  #waiting(groups: ReadonlyMap<string, Item>): void {
    const waiting = [...groups.keys()]
      .flatMap((id) => this.#folded.groups.get(id) ?? [])
      .filter(({ id, status }) => status === 'pending' && !this.#skips(`group ${id}`, id));
    const entity = entityOf.restore(`${this.#input.id}-${this.#input.origin.request}`);
    let chain: ChainHead = this.#heads.get(entity) ?? EMPTY_CHAIN;
    for (let at = 0; at < waiting.length; at += PENDING_MAX) {
      const some = waiting.slice(at, at + PENDING_MAX);
      const pending = some.map((group) => ({ group: group.id, epoch: this.#epochOf(group) }));
      const event = this.#event(entity, chain, 'restore.pending', { pending });
      chain = headOf(event);
      const items = some.flatMap((group) => this.#group(group));
      this.#units.push({ what: `${some.length} groups that wait`, items, events: [event] });
    }
  }

  #group(group: FoldedGroup): RestoredItem[] {
    const item = this.#targets.get(`GRP#${group.id}`);
    if (item === undefined) return [];
    const seen = this.#seen.get(keyOf(item));
    const heldUntil = holdEndsAt(this.#input.origin.at, this.#leaseMs);
    return [{ item: restoredGroup(item, this.#epochOf(group), heldUntil, seen), seen }];
  }

  #epochOf(group: FoldedGroup): number {
    const live = this.#seen.get(`GRP#${group.id}\u0000GRP#${group.id}`);
    return this.#raise(Math.max(group.epoch, live === undefined ? 0 : num(live, 'epoch')));
  }
}
