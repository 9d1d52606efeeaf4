import { groupByEntity } from '../../audit/chain.ts';
import { entityOf } from '../../audit/event.ts';
import type { FoldedState } from '../../audit/fold-state.ts';
import { isEnded } from '../../failover/recovery-status.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { RECOVERY_STATUSES, type RecoveryStatus } from '../../schemas/recovery.ts';
import { restoredRecovery } from '../../store/backup/restored.ts';
import { chainHeadOf } from '../../store/chain-heads.ts';
import { newBeatItem } from '../../store/fleet/heartbeats.ts';
import { decodeLabscape, encodeLabscape, type LabscapeRecord } from '../../store/fleet/labscapes.ts';
import { encodeLocator } from '../../store/fleet/resources.ts';
import { keys } from '../../store/keys.ts';
import { type Item, N, S } from '../../store/table/attributes.ts';
import { Left } from './left.ts';
import { remadeLabscape, remadePrincipal, remadeTenant } from './remake-others.ts';
import { birthOf, remadeAllocation, remadeGroup, remadeResource } from './remake-work.ts';
import { keyOf, type Sorted, sortItems } from './sorted.ts';

export interface Remade {
  /** By keyOf; in the place of what an older backup has. */
  readonly items: ReadonlyMap<string, Item>;
  readonly left: Left;
}

const ENDED_BY: ReadonlyMap<string, RecoveryStatus> = new Map(
  RECOVERY_STATUSES.filter(isEnded).map((status) => [`recovery.${status}`, status]),
);

interface Lost {
  /** What backup or table tells, the table before the backup, by keyOf. */
  readonly known: ReadonlyMap<string, Item>;
  /** What is in the table. */
  readonly live: ReadonlyMap<string, Item>;
  readonly events: readonly AuditEvent[];
  readonly folded: FoldedState;
  /** Entities of which later events speak. */
  readonly busy: ReadonlySet<string>;
  /** Now, epoch ms. */
  readonly at: number;
}

/**
 * What no item tells of any more, or only a backup that is older than its last event, made again from its events. Pure.
 */
export function remakeLost(lost: Lost): Remade {
  const remake = new Remake(lost);
  remake.others();
  remake.work();
  return remake.result();
}

class Remake {
  readonly #lost: Lost;
  readonly #chains: ReadonlyMap<string, readonly AuditEvent[]>;
  readonly #sorted: Sorted;
  readonly #made = new Map<string, Item>();
  readonly #labscapes = new Map<string, LabscapeRecord>();
  readonly #left: Left;

  constructor(lost: Lost) {
    const { known, events, folded } = lost;
    this.#lost = lost;
    this.#chains = groupByEntity(events);
    this.#sorted = sortItems(known.values());
    this.#left = new Left(folded);
    for (const item of known.values())
      if (item['pk']?.S === 'LABS') this.#labscapes.set(item['sk']?.S?.slice(4) ?? '', decodeLabscape(item));
  }

  result(): Remade {
    return { items: this.#made, left: this.#left };
  }

  #make(item: Item): void {
    this.#made.set(keyOf(item), item);
  }

  /** Whether nothing tells of it as its last event does. */
  #isLost(key: Item, { length }: readonly AuditEvent[]): boolean {
    const item = this.#lost.known.get(keyOf(key));
    return !this.#lost.live.has(keyOf(key)) && (item === undefined || (chainHeadOf(item)?.rev ?? 0) < length);
  }

  others(): void {
    for (const [entity, chain] of this.#chains) {
      if (this.#lost.busy.has(entity)) continue;
      const [kind = '', id = ''] = entity.split('#');
      if (kind === 'labscape') this.#labscape(id, chain);
      else if (kind === 'tenant') this.#tenant(id, chain);
      else if (kind === 'principal' && this.#isLost(keys.principal(id), chain)) {
        const item = remadePrincipal(chain);
        if (item === undefined) this.#left.other(entity);
        else this.#make(item);
      } else if (kind === 'plan' && this.#isBornAndLost(keys.plan(id))) this.#left.other(entity);
      else if (kind === 'recovery') this.#recovery(id, chain);
      else if (kind === 'override') {
        const [, labscape = '', own = ''] = entity.split('#');
        if (this.#isBornAndLost(keys.override(labscape, own))) this.#left.other(entity);
      }
    }
  }

  /** What its phases did is in no event; how it ended is. One that had not is called off by the draft. */
  #recovery(id: string, chain: readonly AuditEvent[]): void {
    const key = keys.recovery(id);
    const item = this.#lost.known.get(keyOf(key));
    const last = chain.at(-1);
    if (item === undefined || last === undefined) this.#left.other(entityOf.recovery(id));
    else if (this.#isLost(key, chain)) {
      const status = ENDED_BY.get(last.type);
      const chained = { ...item, rev: N(last.rev), head: S(last.hash) };
      const reason = String(last.body['reason'] ?? '');
      this.#make(status === undefined ? chained : restoredRecovery(item, last, reason, status));
    }
  }

  #isBornAndLost(key: Item): boolean {
    return !this.#lost.known.has(keyOf(key));
  }

  #labscape(id: string, chain: readonly AuditEvent[]): void {
    if (this.#isLost(keys.labscape(id), chain)) {
      const labscape = remadeLabscape(chain, this.#lost.at);
      if (labscape === undefined) this.#left.other(entityOf.labscape(id));
      else {
        this.#labscapes.set(id, labscape);
        this.#make(encodeLabscape(labscape));
      }
    }
    if (this.#isBornAndLost(keys.beat(id))) this.#make(newBeatItem(id));
  }

  #tenant(id: string, chain: readonly AuditEvent[]): void {
    const remade = remadeTenant(chain);
    if (this.#isLost(keys.tenant(id), chain)) {
      if (remade === undefined) this.#left.other(entityOf.tenant(id));
      else this.#make(remade.tenant);
    }
    for (const slice of remade?.slices ?? []) if (this.#isBornAndLost(slice)) this.#make(slice);
  }

  work(): void {
    const { resources, groups, allocations } = this.#lost.folded;
    for (const [id, then] of resources) {
      const labscape = this.#labscapes.get(then.labscape);
      const chain = this.#chains.get(entityOf.resource(id)) ?? [];
      if (!this.#sorted.locators.has(id)) this.#make(encodeLocator(then));
      if (this.#sorted.resources.has(id)) continue;
      const item = labscape && remadeResource(then, chain, labscape, this.#lost.at);
      if (item === undefined) this.#left.resource(id, labscape === undefined ? 'its labscape is lost' : '');
      else this.#make(item);
    }
    const founders = new Map<string, { tenant: string; event: AuditEvent }>();
    for (const [id, then] of allocations) {
      if (then.status !== 'active') continue;
      const chain = this.#chains.get(`allocation#${id}`) ?? [];
      const [event] = chain;
      if (event !== undefined && birthOf(event) !== undefined)
        founders.set(then.group, { tenant: then.tenant, event });
      if (this.#sorted.allocations.has(id)) continue;
      const item = remadeAllocation(then, chain);
      if (item === undefined) this.#left.allocation(id);
      else this.#make(item);
      if (item?.['specLost'] !== undefined) this.#left.spec(id);
    }
    for (const [id, then] of groups) {
      if (then.status === 'closed' || this.#sorted.groups.has(id)) continue;
      const founder = founders.get(id);
      const item = founder && remadeGroup(then, founder.tenant, founder.event, this.#lost.at);
      if (item === undefined) this.#left.group(id);
      else this.#make(item);
    }
  }
}
