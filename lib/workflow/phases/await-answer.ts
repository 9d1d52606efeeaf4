import type { Phase } from '../../schemas/recovery.ts';
import { runningState } from '../../services/recovery/running.ts';
import { answerWait, leaveToken } from '../../services/recovery/waits.ts';
import { readBeats } from '../../store/fleet/heartbeats.ts';
import { ownRecovery, type PhaseAnswer, type PhaseContext, readOwnResource } from './context.ts';
import { keepCapsule } from './observed.ts';

/**
 * A state that waits: leaves its token where the answer will be heard, then looks whether it has come already, so
 * that an answer between the two is not missed.
 */
export const awaitAnswer =
  (phase: Phase) =>
  async (context: PhaseContext): Promise<PhaseAnswer> => {
    const { runtime, task } = context;
    const recovery = await ownRecovery(context);
    if (task.taskToken === undefined) throw new Error(`${phase} waits without a task token`);
    await leaveToken(runtime, recovery.id, phase, task.taskToken);
    // Who goes on after the wait may be another function; what was seen before it is written while nothing hurries.
    await keepCapsule(context, recovery);
    if (phase === 'AwaitFence') {
      const [resource, beats] = await Promise.all([
        readOwnResource(context),
        readBeats(runtime.store, recovery.labscape),
      ]);
      const said = beats.pulses.get(resource.id)?.epoch ?? 0;
      // Who speaks of an epoch that nobody has given yet cannot have carried it out, and says nothing of this one.
      const carriedOut = Math.max(resource.acknowledgedEpoch, said > resource.epoch ? 0 : said);
      if (carriedOut >= recovery.epoch) await answerWait(runtime, recovery.id, phase, 'acknowledged');
    }
    if (phase === 'ResumeService') {
      const state = await runningState(runtime, recovery);
      if (state.waiting.length === 0) await answerWait(runtime, recovery.id, phase, 'running');
    }
    return { proceed: 'Wait' };
  };
