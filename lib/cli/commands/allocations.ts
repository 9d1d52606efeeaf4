import * as z from 'zod';
import type { Allocation } from '../../schemas/allocation.ts';
import { type Context, defineCommand, EXIT, flag, positional } from '../command.ts';
import { ago, demand, deviceDemand, duration } from '../format.ts';
import { paintStatus } from '../paint.ts';
import { table } from '../table.ts';
import { WISH_FLAGS, WISH_USAGE, wishOf } from './wish.ts';

type One = z.output<typeof Allocation>;

const STATE_BY_HTTP_STATUS: Readonly<Record<number, string>> = {
  200: 'was placed before with this key',
  201: 'is placed',
  202: 'waits for room',
};

function sentence(allocation: One, said: string): string {
  const { id, resource, labscape, deviceIndexes, reason, warning } = allocation;
  const at = labscape ? ` in ${labscape}` : '';
  const on = deviceIndexes ? `, devices ${deviceIndexes.join(', ')}` : '';
  const where = resource === undefined ? '' : ` on ${resource}${at}${on}`;
  const but = warning ? `\nbut: ${warning}` : '';
  return `${id} ${said}${where}${reason ? `: ${reason}` : ''}${but}`;
}

export const allocate = defineCommand({
  name: 'allocate',
  usage: `${WISH_USAGE} [--adopt RESOURCE] [--key K] [-- command…]`,
  summary: 'place a demand; what follows -- is what its agent shall run',
  takesRest: true,
  flags: z.strictObject({ ...WISH_FLAGS, adopt: flag.text.optional(), key: flag.text.optional() }),
  run: async (context, { flags, rest }) => {
    const { adopt: resource } = flags;
    const body = { ...wishOf(flags, rest), ...(resource !== undefined && { adopt: { resource } }) };
    const headers = { 'idempotency-key': flags.key ?? context.chance.id() };
    const { status, body: placed } = await context.client.exchange('allocate', { headers, body });
    context.show(placed, () => sentence(placed, STATE_BY_HTTP_STATUS[status] ?? placed.status));
    return EXIT.done;
  },
});

const tenant = flag.text.optional();
const query = (of: string | undefined) => (of === undefined ? {} : { query: { tenant: of } });

export const release = defineCommand({
  name: 'release',
  usage: 'ID [--tenant T]',
  summary: 'release an allocation',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({ tenant }),
  run: async (context, invocation) => {
    const params = { allocation: positional(invocation, 0) };
    const body = await context.client.call('releaseAllocation', {
      params,
      ...query(invocation.flags.tenant),
    });
    context.show(body, () => `${body.id} is ${body.status}`);
    return EXIT.done;
  },
});

export const renew = defineCommand({
  name: 'renew',
  usage: 'ID --lease 2h [--tenant T]',
  summary: "extend an allocation's lease, counted from now",
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({ tenant, lease: flag.span }),
  run: async (context, invocation) => {
    const { lease: leaseMs } = invocation.flags;
    const body = await context.client.call('renewAllocation', {
      params: { allocation: positional(invocation, 0) },
      body: { leaseMs },
      ...query(invocation.flags.tenant),
    });
    context.show(body, () => `${body.id} is kept for another ${duration(leaseMs)}`);
    return EXIT.done;
  },
});

function render(all: readonly One[], context: Context): string {
  if (all.length === 0) return 'No allocations.';
  const nowMs = context.clock.now();
  const rows = all.map((one) => [
    one.id,
    paintStatus(context.paint, one.status),
    one.class,
    one.resource ?? '-',
    one.running === undefined ? '-' : one.running ? 'yes' : context.paint('yellow', 'not yet'),
    [demand(one.demand), deviceDemand(one.devices)].filter((part) => part !== '').join(', '),
    ago(one.createdAt, nowMs),
    one.leaseUntil === undefined ? '-' : duration(Math.max(0, one.leaseUntil - nowMs)),
    one.reason ?? '',
  ]);
  const titles = ['ID', 'STATUS', 'CLASS', 'RESOURCE', 'RUNS', 'DEMAND', 'CREATED', 'LEASE LEFT', 'WHY'];
  const columns = titles.map((title) => ({ title }));
  return table(columns, rows, (text) => context.paint('dim', text));
}

export const allocations = defineCommand({
  name: 'allocations',
  usage: '[--tenant T]',
  summary: "a tenant's allocations and where they run",
  flags: z.strictObject({ tenant }),
  run: async (context, { flags }) => {
    const all: One[] = [];
    for await (const one of context.client.pages('listAllocations', query(flags.tenant))) all.push(one);
    context.show(all, () => render(all, context));
    return EXIT.done;
  },
});
