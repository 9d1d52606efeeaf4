import type { Paint } from '../../../lib/cli/paint.ts';
import type { Replay, ReplayedStep } from '../../../lib/failover/replay.ts';

const RESULT_WIDTH = 9;

const madeBy = ({ rules, replayedBy }: ReplayedStep): string =>
  rules.version === replayedBy.version
    ? `${rules.set} rules ${rules.version}`
    : `${rules.set} rules ${rules.version}, replayed by ${replayedBy.version}`;

const stepLines = (step: ReplayedStep, paint: Paint): readonly string[] => {
  const same = step.differences.length === 0;
  const result = (same ? 'identical' : 'DIFFERS').padEnd(RESULT_WIDTH);
  return [
    `${paint(same ? 'green' : 'red', result)}  ${paint('bold', step.phase)}  ${paint('dim', madeBy(step))}`,
    ...step.decided.map((line) => `           ${line}`),
    ...step.differences.map(({ at, recorded, replayed }) =>
      paint('red', `           ${at}: was ${JSON.stringify(recorded)}, is ${JSON.stringify(replayed)}`),
    ),
  ];
};

/** What was decided, why, and whether the rules still say so. */
export const render = (replayed: Replay, paint: Paint): string => {
  const wrong = replayed.steps.flatMap(({ differences }) => differences).length;
  const steps = `${replayed.steps.length} steps`;
  return [
    `recovery ${replayed.recovery}`,
    ...replayed.steps.flatMap((step) => stepLines(step, paint)),
    ...replayed.missing.map(({ phase, why }) => paint('yellow', `incomplete: ${phase}: ${why}`)),
    wrong === 0 ? `${steps} replay to identical decisions` : `${wrong} differences in ${steps}`,
    '',
  ].join('\n');
};
