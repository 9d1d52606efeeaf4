import type { Functions } from './functions/functions.ts';
import type { LocalSchedule } from './template/template.ts';

/** EventBridge's scheduled rules. Like there, the first call comes one period after the start, and calls may overlap. */
export function startSchedules(schedules: readonly LocalSchedule[], functions: Functions): () => void {
  const timers = schedules.map((schedule) =>
    setInterval(() => {
      const time = new Date().toISOString();
      const event = {
        source: 'aws.events',
        'detail-type': 'Scheduled Event',
        time,
        resources: [schedule.name],
        detail: {},
      };
      for (const arn of schedule.functionArns) void functions.invoke(arn, event);
    }, schedule.everyMs),
  );
  return () => {
    for (const timer of timers) clearInterval(timer);
  };
}
