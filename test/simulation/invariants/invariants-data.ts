import type { WorkData } from '../../../lib/schemas/data.ts';
import type { GroupRecord } from '../../../lib/store/placement/groups.ts';
import type { Change, Changes, State } from '../world/state.ts';
import type { Breach } from './invariants.ts';
import { RESTORES } from './invariants-restore.ts';

/** What was said of copies counts so long after it was replaced: a plan was made, and its write may have been late, ms. */
const SAID_MS = 12_000;

/** What was said of a group's copies, and until when, epoch ms of the controller. */
interface Said {
  readonly data: WorkData;
  readonly until: number;
}

/**
 * Number 19, none of the design's: work that demands its data and has run before gets a new owner only where a copy was said
 * to be that was not stale; for work that waits, stale as of when it stopped. Judged leniently by SAID_MS.
 */
export class DataWatch {
  readonly #wallMs: () => number;
  readonly #said = new Map<string, Said[]>();
  #lastMs = 0;
  #jumpedAt = Number.NEGATIVE_INFINITY;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  look(_: State, { groups, when }: Changes): readonly Breach[] {
    const wallMs = this.#wallMs();
    if (Math.abs(wallMs - when.now - this.#lastMs) > 0) this.#jumpedAt = when.now;
    this.#lastMs = wallMs - when.now;
    // What is restored where it was goes nowhere.
    const isMove = ({ before, after }: Change<GroupRecord>): boolean =>
      !when.by.startsWith(RESTORES) || before?.resource !== after.resource;
    const breaches = groups.filter(isMove).flatMap((change) => this.#judge(change, wallMs, when.now));
    for (const { before, after } of groups) this.#learn(before, after, wallMs);
    return breaches;
  }

  #judge({ before, after }: Change<GroupRecord>, wallMs: number, now: number): readonly Breach[] {
    if (before?.data?.required !== true || after.status !== 'placed') return [];
    // What never ran has no data yet.
    if (before.status === 'pending' && before.epoch <= 1) return [];
    if (after.resource === before.resource && after.epoch === before.epoch) return [];
    // Who reckons by a clock that jumped meanwhile may err.
    if (now - this.#jumpedAt < SAID_MS && this.#jumpedAt > 0) return [];
    const judgedAt = before.status === 'pending' ? before.since : wallMs - SAID_MS;
    const said = [{ data: before.data, until: wallMs }, ...(this.#said.get(after.id) ?? [])];
    const fresh = said.some(
      ({ data, until }) =>
        wallMs - until <= SAID_MS &&
        data.copies.some(
          ({ resource, asOf }) =>
            resource === after.resource && judgedAt - asOf <= (data.maxAgeMs ?? Number.POSITIVE_INFINITY),
        ),
    );
    return fresh
      ? []
      : [{ invariant: 19, what: `group ${after.id} goes to ${after.resource}, without the data it demands` }];
  }

  #learn(before: GroupRecord | undefined, after: GroupRecord, wallMs: number): void {
    if (before?.data === undefined || JSON.stringify(before.data) === JSON.stringify(after.data)) return;
    const kept = (this.#said.get(after.id) ?? []).filter(({ until }) => wallMs - until <= SAID_MS);
    this.#said.set(after.id, [...kept, { data: before.data, until: wallMs }]);
  }
}
