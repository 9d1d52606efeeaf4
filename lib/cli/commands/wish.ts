import * as z from 'zod';
import type { AllocationInput, Constraints } from '../../schemas/allocation.ts';
import { CLASSES, DIMENSIONS } from '../../schemas/common.ts';
import { STRATEGY_NAMES } from '../../schemas/strategy.ts';
import { flag, UsageError } from '../command.ts';

const whole = flag.whole.default(0);

/** What allocate and explain are asked for, in the same words. */
export const WISH_FLAGS = {
  tenant: flag.text.optional(),
  processing: whole,
  memory: whole,
  storage: whole,
  network: whole,
  class: flag.oneOf(CLASSES).optional(),
  lease: flag.span.optional(),
  'on-full': flag.oneOf(['refuse', 'wait']).optional(),
  labscape: flag.list.optional(),
  residency: flag.list.optional(),
  spread: flag.spread.optional(),
  devices: flag.devices.optional(),
  protected: flag.on.optional(),
  preempt: flag.on.optional(),
  strategy: flag.oneOf(STRATEGY_NAMES).optional(),
  'hash-key': flag.text.optional(),
};
const Wish = z.object(WISH_FLAGS);

export const WISH_USAGE =
  '--processing mvCPU --memory MiB --storage GiB --network Mbit/s [--tenant T] [--class C] [--lease 2h] [--on-full wait] [--labscape L,…] [--residency R,…] [--spread KEY[!]] [--devices COUNTxMILLI@MODEL,…] [--protected] [--preempt] [--strategy S] [--hash-key K]';

/** Only what was said: an empty profile is everybody's. */
function constraintsOf({ labscape: labscapes, residency, spread }: z.output<typeof Wish>): {
  constraints?: z.input<typeof Constraints>;
} {
  if (labscapes === undefined && residency === undefined && spread === undefined) return {};
  return {
    constraints: {
      ...(labscapes !== undefined && { labscapes }),
      ...(residency !== undefined && { residency }),
      ...(spread !== undefined && { spread }),
    },
  };
}

/** The request's body. Throws UsageError when nothing is asked for. */
export function wishOf(
  flags: z.output<typeof Wish>,
  command: readonly string[],
): z.input<typeof AllocationInput> {
  const { processing, memory, storage, network, tenant, devices, lease: leaseMs } = flags;
  const asked = { processing, memory, storage, network };
  if (DIMENSIONS.every((dimension) => asked[dimension] === 0)) {
    throw new UsageError('ask for something: --processing, --memory, --storage or --network');
  }
  return {
    demand: asked,
    ...(tenant !== undefined && { tenant }),
    ...(flags.class !== undefined && { class: flags.class }),
    ...(leaseMs !== undefined && { leaseMs }),
    ...(devices !== undefined && { devices }),
    ...constraintsOf(flags),
    ...(flags['on-full'] !== undefined && { onFull: flags['on-full'] }),
    ...(flags.protected && { protected: true }),
    ...(flags.preempt && { preempt: true }),
    ...(flags.strategy !== undefined && { strategy: flags.strategy }),
    ...(flags['hash-key'] !== undefined && { hashKey: flags['hash-key'] }),
    ...(command.length > 0 && { spec: { command: [...command] } }),
  };
}
