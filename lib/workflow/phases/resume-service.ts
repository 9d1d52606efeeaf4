import { runningState } from '../../services/recovery/running.ts';
import { advance } from './advance.ts';
import { newWait, type PhaseAnswer, type PhaseContext } from './context.ts';

/** Ends when the new owners report the moved work running. */
export const resumeService = (context: PhaseContext): Promise<PhaseAnswer> =>
  advance(context, 'ResumeService', async (recovery) => {
    const { runtime } = context;
    const [state, labscape] = await Promise.all([
      runningState(runtime, recovery),
      runtime.fleet.labscape(recovery.labscape),
    ]);
    const detail = {
      running: state.running,
      waiting: state.waiting.length,
      unwatched: state.unwatched.length,
    };
    if (state.waiting.length === 0) return { next: 'RestorePerformance', detail };
    return {
      next: 'RestorePerformance',
      detail,
      wait: {
        waiting: newWait('ResumeService', runtime.clock.now()),
        seconds: Math.ceil((labscape?.policy.resumeWaitMs ?? 60_000) / 1000),
      },
    };
  });
