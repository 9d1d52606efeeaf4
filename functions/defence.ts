import { Logger } from '@aws-lambda-powertools/logger';
import { limitsFrom } from '../lib/security/limits.ts';
import type { Runtime } from '../lib/services/runtime.ts';
import { InstanceDefence } from '../lib/services/threat/defence.ts';
import type { Store } from '../lib/store/store.ts';

/** The table of signals, where the stage has one. */
export const signalStore = ({ store }: Pick<Runtime, 'store'>): Store | undefined => {
  const table = process.env['SIGNALS_TABLE'] ?? '';
  return table === '' ? undefined : store.over(table);
};

/** Limits and responses as the stage configures them. Benches and simulations, which have no stage, go without. */
export const defenceOf = (from: Pick<Runtime, 'store' | 'clock' | 'chance'>): InstanceDefence | undefined => {
  const signals = signalStore(from);
  const limits = process.env['REQUEST_LIMITS'] ?? '';
  if (signals === undefined || limits === '') return undefined;
  const log = new Logger({ serviceName: 'defence' });
  return new InstanceDefence({
    ...{
      state: from.store,
      signals,
      clock: from.clock,
      limits: limitsFrom(limits),
      instance: from.chance.id(),
    },
    onTrouble: (what, error) => log.warn(what, { error: error instanceof Error ? error : String(error) }),
  });
};
