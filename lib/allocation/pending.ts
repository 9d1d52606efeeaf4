import { CLASSES, type Class, type Vector } from '../schemas/common.ts';
import { add, dominantShare, ZERO } from '../vector.ts';

/** Pause after the first failed try, doubled by each further one up to the most, ms; a sweep looks once a minute. */
const BACKOFF_FIRST_MS = 15_000;
export const BACKOFF_MOST_MS = 120_000;

/** When a group that found no home is tried next: the doubled pause, of which `chance` in [0, 1) takes up to a half. */
export const nextTryAt = (tries: number, now: number, chance: number): number => {
  const pause = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** Math.min(tries - 1, 16));
  return now + Math.round(pause * (1 - chance / 2));
};

/** What waits so long starves: it goes before the rest of its class, and freed room is held for it, ms. */
export const STARVING_AFTER_MS: Readonly<Record<Class, number>> = {
  critical: 60_000,
  high: 5 * 60_000,
  normal: 15 * 60_000,
  low: 60 * 60_000,
};

export interface Waiting {
  readonly id: string;
  readonly class: Class;
  readonly demand: Vector;
  /** Whose it is; undefined for what was displaced: it ran before, and may be of several tenants. */
  readonly tenant: string | undefined;
  /** Since when, epoch ms. */
  readonly since: number;
}

export interface TenantUse {
  /** What runs, without what waits. */
  readonly used: Vector;
  readonly weight: number;
}

/** When it has waited for as long as its class may, epoch ms: from then on a resource is held for it. */
export const starvesAt = (one: Pick<Waiting, 'class' | 'since'>): number =>
  one.since + STARVING_AFTER_MS[one.class];

const byAge = (a: Waiting, b: Waiting): number => a.since - b.since || (a.id < b.id ? -1 : 1);

export interface FairInput<W extends Waiting> {
  readonly waiting: readonly W[];
  /** One that is not named uses nothing and weighs 1. */
  readonly tenants: ReadonlyMap<string, TenantUse>;
  /** All there is to share. */
  readonly total: Vector;
  readonly now: number;
  /** Tries to place one; true when it was placed, and its tenant uses that much more. */
  readonly attempt: (one: W) => boolean;
}

/**
 * Offers each waiting group once: most urgent class first; in it those that starve, oldest first; then what was
 * displaced, oldest first; then by weighted dominant-resource fairness (Ghodsi et al., NSDI 2011): the oldest group of
 * the tenant whose dominant share ÷ weight is least, counting what this round placed; the older group at a tie, then
 * the smaller id. Nobody blocks those behind: what does not fit is passed over.
 */
export const offerFairly = <W extends Waiting>({
  waiting,
  tenants,
  total,
  now,
  attempt,
}: FairInput<W>): void => {
  const gained = new Map<string, Vector>();
  const offer = (one: W): void => {
    if (!attempt(one) || one.tenant === undefined) return;
    gained.set(one.tenant, add(gained.get(one.tenant) ?? ZERO, one.demand));
  };
  const shareOf = (tenant: string): number => {
    const { used, weight } = tenants.get(tenant) ?? { used: ZERO, weight: 1 };
    return dominantShare(add(used, gained.get(tenant) ?? ZERO), total) / weight;
  };
  for (const cls of CLASSES) {
    const own = waiting.filter((one) => one.class === cls).sort(byAge);
    const first = own.filter((one) => starvesAt(one) <= now);
    const rest = own.filter((one) => starvesAt(one) > now);
    for (const one of first) offer(one);
    for (const one of rest) if (one.tenant === undefined) offer(one);
    const queues = queuesOf(rest);
    for (let next = takeLeast(queues, shareOf); next !== undefined; next = takeLeast(queues, shareOf))
      offer(next);
  }
};

/** By tenant, oldest first. */
const queuesOf = <W extends Waiting>(own: readonly W[]): Map<string, W[]> => {
  const queues = new Map<string, W[]>();
  for (const one of own) {
    if (one.tenant === undefined) continue;
    const queue = queues.get(one.tenant);
    if (queue === undefined) queues.set(one.tenant, [one]);
    else queue.push(one);
  }
  return queues;
};

const takeLeast = <W extends Waiting>(
  queues: Map<string, W[]>,
  shareOf: (tenant: string) => number,
): W | undefined => {
  let best: { tenant: string; share: number; head: W } | undefined;
  for (const [tenant, [head]] of queues) {
    if (head === undefined) continue;
    const share = shareOf(tenant);
    if (best === undefined || share < best.share || (share === best.share && byAge(head, best.head) < 0))
      best = { tenant, share, head };
  }
  if (best === undefined) return undefined;
  queues.get(best.tenant)?.shift();
  return best.head;
};
