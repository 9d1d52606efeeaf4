import { PHASE_RUNNERS } from '../../lib/workflow/phases/all.ts';
import { type Phases, taskHandler } from '../../lib/workflow/task-handler.ts';
import { executions } from '../executions.ts';
import { runtime } from '../runtime.ts';

const control = runtime(executions());

const phases: Phases = Object.fromEntries(
  Object.entries(PHASE_RUNNERS).map(([name, run]) => [
    name,
    ({ input, taskToken, last }) =>
      run({ runtime: control, task: { input, taskToken, carry: last?.carry ?? [] } }),
  ]),
);

export const handler = taskHandler(phases, { clock: control.clock });
