import * as z from 'zod';
import type { Allocation, Constraints } from '../../schemas/allocation.ts';
import { CLASSES, DIMENSIONS } from '../../schemas/common.ts';
import { type Context, defineCommand, EXIT, flag, positional, UsageError } from '../command.ts';
import { ago, demand, deviceDemand, duration } from '../format.ts';
import { paintStatus } from '../paint.ts';
import { table } from '../table.ts';

type One = z.output<typeof Allocation>;

const STATE_BY_HTTP_STATUS: Readonly<Record<number, string>> = {
  200: 'was placed before with this key',
  201: 'is placed',
  202: 'waits for room',
};

function sentence(allocation: One, said: string): string {
  const { id, resource, labscape, deviceIndexes, reason } = allocation;
  const at = labscape ? ` in ${labscape}` : '';
  const on = deviceIndexes ? `, devices ${deviceIndexes.join(', ')}` : '';
  const where = resource === undefined ? '' : ` on ${resource}${at}${on}`;
  return `${id} ${said}${where}${reason ? `: ${reason}` : ''}`;
}

/** Only what was said: an empty profile is everybody's. */
function constraintsOf(flags: {
  labscape?: string[] | undefined;
  residency?: string[] | undefined;
  spread?: { key: string; hard: boolean } | undefined;
}): { constraints?: z.input<typeof Constraints> } {
  const { labscape: labscapes, residency, spread } = flags;
  if (labscapes === undefined && residency === undefined && spread === undefined) return {};
  return {
    constraints: {
      ...(labscapes !== undefined && { labscapes }),
      ...(residency !== undefined && { residency }),
      ...(spread !== undefined && { spread }),
    },
  };
}

const whole = flag.whole.default(0);

export const allocate = defineCommand({
  name: 'allocate',
  usage:
    '--processing mvCPU --memory MiB --storage GiB --network Mbit/s [--tenant T] [--class C] [--lease 2h] [--key K] [--on-full wait] [--labscape L,…] [--residency R,…] [--spread KEY[!]] [--devices COUNTxMILLI@MODEL,…] [-- command…]',
  summary: 'place a demand; what follows -- is what its agent shall run',
  takesRest: true,
  flags: z.strictObject({
    tenant: flag.text.optional(),
    processing: whole,
    memory: whole,
    storage: whole,
    network: whole,
    class: flag.oneOf(CLASSES).optional(),
    lease: flag.span.optional(),
    key: flag.text.optional(),
    'on-full': flag.oneOf(['refuse', 'wait']).optional(),
    labscape: flag.list.optional(),
    residency: flag.list.optional(),
    spread: flag.spread.optional(),
    devices: flag.devices.optional(),
  }),
  run: async (context, { flags, rest }) => {
    const { processing, memory, storage, network, tenant, devices, lease: leaseMs } = flags;
    const asked = { processing, memory, storage, network };
    if (DIMENSIONS.every((dimension) => asked[dimension] === 0)) {
      throw new UsageError('ask for something: --processing, --memory, --storage or --network');
    }
    const { status, body } = await context.client.exchange('allocate', {
      headers: { 'idempotency-key': flags.key ?? context.chance.id() },
      body: {
        demand: asked,
        ...(tenant !== undefined && { tenant }),
        ...(flags.class !== undefined && { class: flags.class }),
        ...(leaseMs !== undefined && { leaseMs }),
        ...(devices !== undefined && { devices }),
        ...constraintsOf(flags),
        ...(flags['on-full'] !== undefined && { onFull: flags['on-full'] }),
        ...(rest.length > 0 && { spec: { command: [...rest] } }),
      },
    });
    context.show(body, () => sentence(body, STATE_BY_HTTP_STATUS[status] ?? body.status));
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
