import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import type { ResourceRecord } from '../../../lib/store/fleet/resources.ts';
import type { Changes, State } from '../world/state.ts';
import type { Breach } from './invariants.ts';

/** Clocks of two sandboxes differ by so much at most, ms. */
const SKEW_MS = 401;
const AUTOMATIC: readonly unknown[] = ['detector', 'alarm', 'reconciler'];
/** One resource that is down alone is no epidemic, whatever its share. */
const FREE = 1;

/**
 * Invariant 9: nothing that recovers by itself is fenced while too large a share of its labscape was down already when
 * its recovery was decided on, nor within the cool-down after its last recovery. What was approved may be.
 */
export class RulesWatch {
  readonly #downSince = new Map<string, number>();
  readonly #endedAt = new Map<string, number>();
  readonly #decidedAt = new Map<string, number>();
  /** When the controller's clock last jumped: a cool-down from before counts no more. */
  jumpedAt = Number.NEGATIVE_INFINITY;

  /** The first task that decides on `recovery` begins: what it sees is no older. */
  decides(recovery: string, now: number): void {
    if (!this.#decidedAt.has(recovery)) this.#decidedAt.set(recovery, now);
  }

  /** As before the first commit. */
  forget(): void {
    this.#downSince.clear();
    this.#endedAt.clear();
  }

  look(state: State, changes: Changes): readonly Breach[] {
    const fence = changes.events.find(({ type }) => type === 'resource.fenced');
    const breaches = fence === undefined ? [] : this.#judge(state, changes, fence);
    this.#learn(changes);
    return breaches.map((what) => ({ invariant: 9, what }));
  }

  #learn({ resources, events, when }: Changes): void {
    for (const { after } of resources) {
      if (!isDown(after)) this.#downSince.delete(after.id);
      else if (!this.#downSince.has(after.id)) this.#downSince.set(after.id, when.now);
    }
    const ended = events.find(({ type }) => type === 'resource.recovery-ended');
    const seen = events.find(({ type }) => type === 'resource.acknowledged');
    if (seen !== undefined) this.#endedAt.delete(seen.entity.replace('resource#', ''));
    if (ended !== undefined) this.#endedAt.set(ended.entity.replace('resource#', ''), when.madeAt);
  }

  #judge(state: State, { resources, recoveries, when }: Changes, { body }: AuditEvent): readonly string[] {
    const resource = resources[0]?.after;
    const approved = recoveries[0]?.before !== undefined;
    if (resource === undefined || approved || !AUTOMATIC.includes(body['trigger'])) return [];
    const policy = state.labscapes.get(resource.labscape)?.policy;
    if (policy === undefined) return [`resource ${resource.id} is fenced in an unknown labscape`];
    const sentences: string[] = [];
    const peers = [...state.resources.values()].filter(
      ({ labscape, status }) =>
        labscape === resource.labscape && status !== 'retired' && status !== 'drained',
    );
    const decidedAt = this.#decidedAt.get(String(body['recovery'])) ?? Number.NEGATIVE_INFINITY;
    const before = (id: string): boolean => (this.#downSince.get(id) ?? Number.POSITIVE_INFINITY) < decidedAt;
    const down = 1 + peers.filter(({ id }) => id !== resource.id && before(id)).length;
    if (down > FREE && down / peers.length > policy.breakerShare)
      sentences.push(`resource ${resource.id} is fenced with ${down} of ${peers.length} down`);
    const endedAt = this.#endedAt.get(resource.id) ?? Number.NEGATIVE_INFINITY;
    const sinceMs = when.now - endedAt;
    if (sinceMs < policy.coolDownMs - SKEW_MS && this.jumpedAt < endedAt)
      sentences.push(`resource ${resource.id} is fenced ${Math.round(sinceMs)} ms after its last recovery`);
    return sentences;
  }
}

const isDown = ({ status }: ResourceRecord): boolean => status === 'failed' || status === 'recovering';
