import * as z from 'zod';
import type { AllocationInput } from '../../schemas/allocation.ts';
import { CLASSES, DIMENSIONS } from '../../schemas/common.ts';
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
  protected: flag.on.optional(),
  preempt: flag.on.optional(),
};
const Wish = z.object(WISH_FLAGS);

export const WISH_USAGE =
  '--processing mvCPU --memory MiB --storage GiB --network Mbit/s [--tenant T] [--class C] [--lease 2h] [--on-full wait] [--labscape L,…] [--protected] [--preempt]';

/** The request's body. Throws UsageError when nothing is asked for. */
export function wishOf(
  flags: z.output<typeof Wish>,
  command: readonly string[],
): z.input<typeof AllocationInput> {
  const { processing, memory, storage, network, tenant, lease: leaseMs, labscape: labscapes } = flags;
  const asked = { processing, memory, storage, network };
  if (DIMENSIONS.every((dimension) => asked[dimension] === 0)) {
    throw new UsageError('ask for something: --processing, --memory, --storage or --network');
  }
  return {
    demand: asked,
    ...(tenant !== undefined && { tenant }),
    ...(flags.class !== undefined && { class: flags.class }),
    ...(leaseMs !== undefined && { leaseMs }),
    ...(labscapes !== undefined && { constraints: { labscapes } }),
    ...(flags['on-full'] !== undefined && { onFull: flags['on-full'] }),
    ...(flags.protected && { protected: true }),
    ...(flags.preempt && { preempt: true }),
    ...(command.length > 0 && { spec: { command: [...command] } }),
  };
}
