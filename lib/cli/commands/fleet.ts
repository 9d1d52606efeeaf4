import * as z from 'zod';
import type { Labscape } from '../../schemas/labscape.ts';
import type { Resource } from '../../schemas/resource.ts';
import { defineCommand, EXIT, flag, positional } from '../command.ts';
import { demand, deviceState, duration } from '../format.ts';
import { paintStatus } from '../paint.ts';
import { table } from '../table.ts';

export const labscapes = defineCommand({
  name: 'labscapes',
  usage: '',
  summary: 'labscapes that have joined, and their policies',
  flags: z.strictObject({}),
  run: async (context) => {
    const all: z.output<typeof Labscape>[] = [];
    for await (const one of context.client.pages('listLabscapes')) all.push(one);
    context.show(all, () => {
      const rows = all.map(({ id, name, maintenance, policy, protocolVersion, weight, residency }) => [
        ...[id, name, maintenance ? 'maintenance' : policy.mode, policy.fencing],
        ...[
          duration(policy.beatMs),
          duration(policy.leaseMs),
          protocolVersion,
          String(weight),
          residency ?? '-',
        ],
      ]);
      const titles = [
        'LABSCAPE',
        'NAME',
        'MODE',
        'FENCING',
        'BEAT',
        'LEASE',
        'PROTOCOL',
        'WEIGHT',
        'RESIDENCY',
      ];
      const columns = titles.map((title) => ({ title }));
      return rows.length === 0 ? 'No labscape has joined yet.' : table(columns, rows);
    });
    return EXIT.done;
  },
});

export const resources = defineCommand({
  name: 'resources',
  usage: '[--labscape L]',
  summary: 'resources with capacity and labels',
  flags: z.strictObject({ labscape: flag.text.optional() }),
  run: async (context, { flags: { labscape } }) => {
    const all: z.output<typeof Resource>[] = [];
    const input = labscape === undefined ? {} : { query: { labscape } };
    for await (const one of context.client.pages('listResources', input)) all.push(one);
    context.show(all, () => {
      const rows = all.map(
        ({ id, labscape: home, status, capacity, used, devices, labels, statusReason }) => [
          ...[
            id,
            home,
            paintStatus(context.paint, status),
            demand(capacity),
            demand(used) || '-',
            deviceState(devices),
          ],
          ...[
            Object.entries(labels)
              .map((pair) => pair.join('='))
              .join(' ') || '-',
            statusReason,
          ],
        ],
      );
      const titles = ['RESOURCE', 'LABSCAPE', 'STATUS', 'CAPACITY', 'USED', 'DEVICES', 'LABELS', 'WHY'];
      const columns = titles.map((title) => ({ title }));
      return rows.length === 0 ? 'No resources.' : table(columns, rows, (text) => context.paint('dim', text));
    });
    return EXIT.done;
  },
});

const amount = flag.whole;

export const register = defineCommand({
  name: 'register',
  usage:
    'RESOURCE --labscape L --processing mvCPU --memory MiB --storage GiB --network Mbit/s [--devices MODELxCOUNT] [--labels K=V,…]',
  summary: 'register a resource with its capacity and devices',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({
    labscape: flag.text,
    ...{ processing: amount, memory: amount, storage: amount, network: amount },
    devices: flag.bank.optional(),
    labels: flag.labels.optional(),
  }),
  run: async (context, invocation) => {
    const { labscape, devices, labels, ...capacity } = invocation.flags;
    const resource = await context.client.call('registerResource', {
      body: {
        ...{ id: positional(invocation, 0), labscape, capacity },
        ...(devices !== undefined && { devices }),
        ...(labels !== undefined && { labels }),
      },
    });
    context.show(resource, () => `${resource.id} is ${resource.status} in ${resource.labscape}`);
    return EXIT.done;
  },
});

const why = { reason: flag.text };

export const activate = defineCommand({
  name: 'activate',
  usage: 'RESOURCE --reason WHY',
  summary: 'take a drained or offline resource back',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject(why),
  run: async (context, invocation) => {
    const { reason } = invocation.flags;
    const params = { resource: positional(invocation, 0) };
    const resource = await context.client.call('activateResource', { params, body: { reason } });
    context.show(resource, () => `${resource.id} is ${resource.status}`);
    return EXIT.done;
  },
});

export const retire = defineCommand({
  name: 'retire',
  usage: 'RESOURCE --reason WHY',
  summary: 'an empty resource, drained or offline, is gone for good',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject(why),
  run: async (context, invocation) => {
    const { reason } = invocation.flags;
    const params = { resource: positional(invocation, 0) };
    const resource = await context.client.call('retireResource', { params, body: { reason } });
    context.show(resource, () => `${resource.id} is ${resource.status}`);
    return EXIT.done;
  },
});
