import * as z from 'zod';
import { defineCommand, EXIT, flag, UsageError } from '../command.ts';
import { fleetFileOf, toYaml } from '../fleet-file/export.ts';
import { readFleet } from '../fleet-file/state.ts';

export const exportFleet = defineCommand({
  name: 'export',
  usage: '[--tenant T,…]',
  summary: 'the fleet as a file for apply; tenants only those that are named',
  flags: z.strictObject({ tenant: flag.list.optional() }),
  run: async (context, { flags }) => {
    const named = flags.tenant ?? [];
    const fleet = await readFleet(context.client, named, {});
    const missing = named.filter((id) => !fleet.tenants.has(id));
    if (missing.length > 0) throw new UsageError(`no tenant ${missing.join(', ')} has a quota`);
    const file = fleetFileOf(fleet);
    context.show(file, () => toYaml(file).trimEnd());
    return EXIT.done;
  },
});
