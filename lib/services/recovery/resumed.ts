import { readRecovery } from '../../store/recovery/recoveries.ts';
import type { Runtime } from '../runtime.ts';
import { runningState } from './running.ts';
import { answerWait } from './waits.ts';

/** Recoveries that wait for moved work to run go on where none of it is left to wait for. */
export const answerResumed = async (runtime: Runtime, recoveries: Iterable<string>): Promise<void> => {
  await Promise.all(
    [...new Set(recoveries)].map(async (id) => {
      const recovery = await readRecovery(runtime.store, id);
      if (recovery?.waiting?.phase !== 'ResumeService' || recovery.waiting.answer !== undefined) return;
      const state = await runningState(runtime, recovery);
      if (state.waiting.length === 0) await answerWait(runtime, id, 'ResumeService', 'running');
    }),
  );
};
