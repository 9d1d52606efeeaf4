import * as z from 'zod';
import type { Tenant } from '../../schemas/tenant.ts';
import { type Context, defineCommand, EXIT, flag, positional, UsageError } from '../command.ts';
import { demand } from '../format.ts';
import { table } from '../table.ts';

type One = z.output<typeof Tenant>;

function render(all: readonly One[], { paint }: Context): string {
  if (all.length === 0) return 'No tenant has a quota yet.';
  const rows = all.map(({ id, quota, used, weight, slices }) => [
    ...[id, demand(quota) || '-', demand(used) || '-', String(weight), String(slices)],
  ]);
  const titles = ['TENANT', 'QUOTA', 'USED', 'WEIGHT', 'SLICES'];
  return table(
    titles.map((title) => ({ title })),
    rows,
    (text) => paint('dim', text),
  );
}

const amount = flag.whole.optional();

const FLAGS = z.strictObject({
  ...{ processing: amount, memory: amount, storage: amount, network: amount },
  ...{ slices: flag.whole.optional(), weight: flag.whole.optional() },
});

async function list(context: Context): Promise<void> {
  const all: One[] = [];
  for await (const one of context.client.pages('listTenants')) all.push(one);
  context.show(all, () => render(all, context));
}

async function set(
  context: Context,
  tenant: string,
  { processing, memory, storage, network, slices, weight }: z.output<typeof FLAGS>,
): Promise<void> {
  if (processing === undefined || memory === undefined || storage === undefined || network === undefined)
    throw new UsageError('a quota is whole: --processing, --memory, --storage and --network');
  const body = {
    quota: { processing, memory, storage, network },
    ...(slices !== undefined && { slices }),
    ...(weight !== undefined && { weight }),
  };
  const after = await context.client.call('putTenant', { params: { tenant }, body });
  context.show(after, () => render([after], context));
}

export const tenant = defineCommand({
  name: 'tenant',
  usage:
    'list | show TENANT | set TENANT --processing mvCPU --memory MiB --storage GiB --network Mbit/s [--weight N] [--slices N]',
  summary: 'tenants: what they may hold and what they do; set a quota',
  positionals: { min: 1, max: 2 },
  flags: FLAGS,
  run: async (context, invocation) => {
    const verb = positional(invocation, 0);
    const [, id] = invocation.positionals;
    if (verb === 'list' && id === undefined) await list(context);
    else if (id === undefined) throw new UsageError(`which tenant is missing`);
    else if (verb === 'set') await set(context, id, invocation.flags);
    else if (verb === 'show') {
      const one = await context.client.call('getTenant', { params: { tenant: id } });
      context.show(one, () => render([one], context));
    } else throw new UsageError(`knows no ${invocation.positionals.join(' ')}`);
    return EXIT.done;
  },
});
