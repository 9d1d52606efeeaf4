import * as z from 'zod';
import type { Allocation } from '../../schemas/allocation.ts';
import type { DataCopy } from '../../schemas/data.ts';
import { type Context, defineCommand, EXIT, flag, positional, UsageError } from '../command.ts';
import { ago, duration, instant } from '../format.ts';
import { table } from '../table.ts';

type One = z.output<typeof Allocation>;
type Copy = z.output<typeof DataCopy>;

function render({ id, data }: One, { clock, paint }: Context): string {
  if (data === undefined) return `${id} names no data.`;
  const { required, maxAgeMs, copies } = data;
  const stale = maxAgeMs === undefined ? '' : `, stale after ${duration(maxAgeMs)}`;
  const head = `${paint('bold', id)}  data ${required ? 'required' : 'preferred'}${stale}`;
  if (copies.length === 0) return `${head}\nThere is no copy.`;
  const nowMs = clock.now();
  const rows = copies.map(({ resource, asOf }) => [
    ...[resource, instant(asOf), ago(asOf, nowMs)],
    maxAgeMs !== undefined && nowMs - asOf > maxAgeMs ? paint('yellow', 'stale') : 'fresh',
  ]);
  const titles = ['RESOURCE', 'AS OF', '', 'NOW'];
  return `${head}\n${table(
    titles.map((title) => ({ title })),
    rows,
    (text) => paint('dim', text),
  )}`;
}

/** `north-2` as of now, or `north-2=2026-11-21T12:00:00Z`. */
function copyOf(text: string, nowMs: number): Copy {
  const [resource = '', time, ...more] = text.split('=');
  const asOf = time === undefined ? nowMs : Date.parse(time);
  if (resource === '' || more.length > 0 || Number.isNaN(asOf))
    throw new UsageError(`${text} is no RESOURCE, nor RESOURCE=TIME such as north-2=2026-11-21T12:00:00Z`);
  return { resource, asOf };
}

/** What the command's verb makes of the copies that are named now. */
const VERBS: Readonly<
  Record<string, (now: readonly Copy[], words: readonly string[], nowMs: number) => Copy[]>
> = {
  set: (_, words, nowMs) => words.map((word) => copyOf(word, nowMs)),
  remove: (now, words) => {
    const strange = words.find((word) => !now.some(({ resource }) => resource === word));
    if (strange !== undefined) throw new UsageError(`no copy on ${strange} is named`);
    return now.filter(({ resource }) => !words.includes(resource));
  },
};

export const copies = defineCommand({
  name: 'copies',
  usage: 'ALLOCATION [set RESOURCE[=TIME]… | remove RESOURCE…] [--tenant T]',
  summary: "copies of an allocation's data: list them, say where they all are, or which is gone",
  positionals: { min: 1, max: 20 },
  flags: z.strictObject({ tenant: flag.text.optional() }),
  run: async (context, invocation) => {
    const { client, clock } = context;
    const { tenant } = invocation.flags;
    const request = {
      params: { allocation: positional(invocation, 0) },
      ...(tenant !== undefined && { query: { tenant } }),
    };
    const [, verb, ...words] = invocation.positionals;
    const become = verb === undefined ? undefined : VERBS[verb];
    if (verb !== undefined && become === undefined) throw new UsageError(`knows no ${verb}`);
    if (become !== undefined && words.length === 0) throw new UsageError('no resource is named');
    const now = verb === 'set' ? undefined : await client.call('getAllocation', request);
    const after =
      become === undefined
        ? now
        : await client.call('putCopies', {
            ...request,
            body: { copies: become(now?.data?.copies ?? [], words, clock.now()) },
          });
    if (after !== undefined) context.show(after, () => render(after, context));
    return EXIT.done;
  },
});
