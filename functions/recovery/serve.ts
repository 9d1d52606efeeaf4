import type { Runtime } from '../../lib/services/runtime.ts';
import { PHASE_RUNNERS } from '../../lib/workflow/phases/all.ts';
import { type Phases, type TaskHandler, taskHandler } from '../../lib/workflow/task-handler.ts';

/** The function around what it needs from outside: every state of the recovery machine. */
export const serve = (control: Runtime): TaskHandler => {
  const phases: Phases = Object.fromEntries(
    Object.entries(PHASE_RUNNERS).map(([name, run]) => [
      name,
      ({ input, taskToken, last }) =>
        run({ runtime: control, task: { input, taskToken, carry: last?.carry ?? [] } }),
    ]),
  );
  return taskHandler(phases, { clock: control.clock });
};
