import * as z from 'zod';
import { BATCH_MAX, type BatchAnswer } from '../../schemas/batch.ts';
import { defineCommand, EXIT, flag, UsageError } from '../command.ts';
import { WISH_FLAGS, WISH_USAGE, wishOf } from './wish.ts';

const line = ({ allocation, problem }: BatchAnswer['items'][number], index: number): string => {
  if (problem !== undefined) return `${index} ${problem.code}: ${problem.detail}`;
  const where = allocation?.resource === undefined ? '' : ` on ${allocation.resource}`;
  return `${index} ${allocation?.id ?? ''} is ${allocation?.status ?? ''}${where}`;
};

export const batch = defineCommand({
  name: 'batch',
  usage: `--count N [--gang] ${WISH_USAGE} [--key K] [-- command…]`,
  summary: 'place N alike demands: each by itself, or with --gang all or nothing',
  takesRest: true,
  flags: z.strictObject({
    ...WISH_FLAGS,
    count: flag.whole,
    gang: flag.on.optional(),
    key: flag.text.optional(),
  }),
  run: async (context, { flags, rest }) => {
    const { count, gang, key = context.chance.id() } = flags;
    if (count < 1 || count > BATCH_MAX) throw new UsageError(`--count must be 1 to ${BATCH_MAX}`);
    const { tenant, ...item } = wishOf(flags, rest);
    const body = await context.client.call('allocateBatch', {
      headers: { 'idempotency-key': key },
      body: {
        ...(tenant !== undefined && { tenant }),
        mode: gang === true ? 'gang' : 'best-effort',
        items: Array.from({ length: count }, () => item),
      },
    });
    context.show(body, () => body.items.map(line).join('\n'));
    return body.items.every(({ problem }) => problem === undefined) ? EXIT.done : EXIT.failed;
  },
});
