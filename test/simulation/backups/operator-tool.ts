import type { Place } from '../../../lib/services/backup/restore.ts';
import { RESTORES } from '../invariants/invariants-restore.ts';
import { storeFor } from '../worker/store-line.ts';
import type { World } from '../world/world.ts';

/** What an operator's tool works with: both tables. */
export interface Tool extends Place {
  readonly label: string;
}

/** How it ended; `gone`: killed in the middle, or the store was; `unsettled`: it refuses, and has changed nothing. */
export type Ending = 'done' | 'gone' | 'unsettled';
/** Of errors, those after which the same command is given again. */
const AGAIN: ReadonlySet<string> = new Set(['StoreUnavailable', 'Throttled']);

/** Runs a tool from an operator's desk beside everything else: its calls wait for their turns, and may fail as others do. */
export const runTool = (
  world: World,
  work: (tool: Tool) => Promise<void>,
  how: { readonly throughOutage: boolean },
): Promise<Ending> =>
  new Promise((resolve) => {
    world.tools += 1;
    const { scheduler } = world;
    const activity = scheduler.begin(`${RESTORES}${world.tools}`);
    const kill = (): void => {
      scheduler.end(activity);
      resolve('gone');
    };
    const line = { ...world.line, kill, ...(how.throughOutage ? { isOut: () => false } : {}) };
    const { label } = activity;
    const tool = { ...storeFor(line, () => activity), label };
    const run = async (): Promise<void> => {
      await scheduler.park(activity, `${label} begins`, () => undefined);
      let ending: Ending = 'done';
      try {
        await work(tool);
      } catch (error) {
        const { name, message } = error instanceof Error ? error : new Error(String(error));
        ending = name === 'Unsettled' ? 'unsettled' : 'gone';
        scheduler.note(`  ${label} ends: ${name}: ${message}`);
        if (ending === 'gone' && !AGAIN.has(name)) world.breach(20, `${label} fails: ${name}: ${message}`);
      }
      scheduler.end(activity);
      resolve(ending);
    };
    void run();
  });
