import { listBackups } from '../../../lib/services/backup/manifest.ts';
import type { Stream } from '../world/chance.ts';
import type { World } from '../world/world.ts';
import { loseItems, loseRecord } from './damage.ts';
import { restoreEmptied } from './restore-emptied.ts';
import { restoreForged, restoreRunning } from './restore-running.ts';

/** A backup tells of what was ten seconds before it: so much longer is a history with backups, ms. */
export const LONGER_MS = 12_000;
/** The first backup, and from each to the next, ms. */
const FIRST_MS = 10_500;
const EVERY_MS = 3_000;
/** When things go wrong, ms, and by how much later at most. */
const TROUBLES_MS = [12_000, 17_000, 22_000] as const;
const SPREAD_MS = 3_000;
/** A resource is failed first, so often, and so long somebody waits for its recovery to be in the middle. */
const FAILED_FIRST = 0.8;
const MIDDLE_MAX_MS = 8_000;
/** From the moment that a recovery writes to the restore, ms at most. */
const SOON_MS = 2_000;
/** Before its work has moved, or after it: then a backup knows other owners than those that run it. */
const MIDDLES = ['resource.fenced', 'resource.flipped'] as const;

/** An operator who takes backups, and restores from them, best while a recovery runs. */
export class BackupDesk {
  readonly #world: World;
  readonly #chance: Stream;
  #active = true;
  #wait: (() => void) | undefined;
  #middle: (typeof MIDDLES)[number] = 'resource.fenced';

  constructor(world: World) {
    this.#world = world;
    this.#chance = world.chance('backup desk');
  }

  start(): void {
    const { scheduler } = this.#world;
    this.#world.log = [];
    const before = this.#world.onChange;
    this.#world.onChange = (changes) => {
      before(changes);
      if (changes.events.some(({ type }) => type === this.#middle)) this.#wait?.();
    };
    scheduler.after(FIRST_MS, 'backups begin', () => this.#take());
    for (const ms of TROUBLES_MS)
      scheduler.after(ms + this.#chance.below(SPREAD_MS), 'something is to be lost', () => this.#trouble());
  }

  stop(): void {
    this.#active = false;
  }

  #take(): void {
    if (!this.#active) return;
    this.#world.scheduler.after(EVERY_MS, 'a backup is due', () => this.#take());
    void this.#world.lambda.invoke('backup', {});
  }

  #trouble(): void {
    const { scheduler, hosts } = this.#world;
    if (this.#chance.happens(FAILED_FIRST)) {
      const resource = this.#chance.pick(hosts).id;
      void this.#world.operator('failResource', { resource }, { reason: 'simulated' });
    }
    this.#middle = this.#chance.pick(MIDDLES);
    let waits = true;
    const go = (): void => {
      if (!waits) return;
      waits = false;
      this.#wait = undefined;
      scheduler.after(this.#chance.below(SOON_MS), 'an operator may restore', () => this.#restore());
    };
    this.#wait = go;
    scheduler.after(MIDDLE_MAX_MS, 'nobody waits for a recovery any longer', go);
  }

  async #restore(): Promise<void> {
    const world = this.#world;
    if (!this.#active || world.restoring > 0 || (await listBackups(world.objects)).length === 0) return;
    if (world.faults.strikes('allLost')) await restoreEmptied(world);
    else if (world.faults.strikes('itemsForged')) restoreForged(world);
    else if (world.faults.strikes('itemsLost')) restoreRunning(world, loseItems);
    else if (world.faults.strikes('operatorRestores')) restoreRunning(world);
    else if (world.faults.strikes('recordsLost')) restoreRunning(world, loseRecord);
  }
}
