import { Logger } from '@aws-lambda-powertools/logger';
import type { Context } from 'aws-lambda';
import { AlarmMessage, SnsEvent } from '../../lib/schemas/alarm.ts';
import { type AlarmOutcome, type AlarmPolicy, takeAlarm } from '../../lib/services/recovery/alarm.ts';
import type { Runtime } from '../../lib/services/runtime.ts';

/**
 * The function around what it needs from outside. Called by SNS when an alarm changes its state. A message that is no
 * alarm's is logged and let go: it would never parse.
 */
export const serve = (control: Runtime, policy: AlarmPolicy) => {
  const log = new Logger({ serviceName: 'recovery-trigger' });
  return async (event: unknown, context: Context): Promise<readonly AlarmOutcome[]> => {
    const outcomes: AlarmOutcome[] = [];
    for (const { Sns } of SnsEvent.parse(event).Records) {
      const message = parse(Sns.Message);
      if (message === undefined) {
        log.warn('not an alarm', { messageId: Sns.MessageId });
        continue;
      }
      const outcome = await takeAlarm(control, message, policy, context.awsRequestId);
      log.info('alarm', { ...outcome });
      outcomes.push(outcome);
    }
    return outcomes;
  };
};

const parse = (text: string): AlarmMessage | undefined => {
  try {
    return AlarmMessage.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
};
