import type { AlarmBinding, AlarmMessage } from '../schemas/alarm.ts';
import { idPattern } from '../schemas/common.ts';

export type AlarmTarget =
  | { readonly kind: 'resource'; readonly resource: string }
  | { readonly kind: 'labscape'; readonly labscape: string }
  | { readonly kind: 'ignored'; readonly why: 'not-in-alarm' | 'foreign-account' | 'unbound' };

/** Dimension by which our own alarms name their labscape. */
export const LABSCAPE_DIMENSION = 'labscape';

/** What an alarm speaks of: a binding of the user's first, then the labscape its dimension names. */
export const targetOfAlarm = (
  message: AlarmMessage,
  bindings: readonly AlarmBinding[],
  accounts: readonly string[],
): AlarmTarget => {
  if (message.NewStateValue !== 'ALARM') return { kind: 'ignored', why: 'not-in-alarm' };
  if (!accounts.includes(message.AWSAccountId)) return { kind: 'ignored', why: 'foreign-account' };
  const binding = bindings.find((b) => b.alarmName === message.AlarmName);
  if (binding !== undefined) {
    return 'resource' in binding
      ? { kind: 'resource', resource: binding.resource }
      : { kind: 'labscape', labscape: binding.labscape };
  }
  const labscape = message.Trigger.Dimensions.find((d) => d.name === LABSCAPE_DIMENSION)?.value;
  return labscape !== undefined && idPattern.test(labscape)
    ? { kind: 'labscape', labscape }
    : { kind: 'ignored', why: 'unbound' };
};
