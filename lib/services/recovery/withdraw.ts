import { ProblemError } from '../../errors.ts';
import { readRecovery } from '../../store/recovery/recoveries.ts';
import type { Heard } from '../health/hearing.ts';
import type { Sight } from '../health/sight.ts';
import { system } from '../origin.ts';
import type { Runtime } from '../runtime.ts';
import { approve } from './approval.ts';
import { isBack } from './back-again.ts';

const REASON = 'its agent beats again: there is nothing left to recover';

/**
 * Takes back the recoveries that ask a person about resources whose agents beat again: whoever came late to the question
 * would fence a host that is well. The verdict is then taken back as after any refused recovery. How many it took back.
 */
export const withdrawUnneeded = async (
  runtime: Runtime,
  { heard, sight }: { readonly heard: readonly Heard[]; readonly sight: Sight },
  request: string,
): Promise<number> => {
  const { resources } = await runtime.fleet.snapshot();
  const byLabscape = new Map(heard.map((one) => [one.beats.labscape, one]));
  const asking = resources.filter(({ status, recovery }) => status === 'failed' && recovery !== undefined);
  const taken = await Promise.all(
    asking.map(async (resource) => {
      const one = byLabscape.get(resource.labscape);
      const recovery = await readRecovery(runtime.store, resource.recovery ?? '');
      if (one === undefined || recovery?.status !== 'awaiting-approval') return false;
      if (!isBack(resource, recovery.trigger, one, sight.testimony.get(resource.id))) return false;
      const word = { decision: 'reject', reason: REASON } as const;
      return approve(runtime, recovery.id, word, system('detector', request)).then(
        () => true,
        (error: unknown) => {
          // Somebody answered first.
          if (error instanceof ProblemError) return false;
          throw error;
        },
      );
    }),
  );
  return taken.filter(Boolean).length;
};
