import * as z from 'zod';
import { INCIDENT_STATUSES, type Incident, RESPONSES } from '../../schemas/incident.ts';
import { type Context, defineCommand, EXIT, flag, positional, UsageError } from '../command.ts';
import { ago, counted, instant } from '../format.ts';
import { table } from '../table.ts';

const responseOf = ({ response }: Incident): string => {
  if (response === undefined) return '-';
  const { kind, status, until, withheld } = response;
  if (status === 'active') return `${kind} until ${instant(until ?? 0)}`;
  return `${kind} ${status}${withheld === undefined ? '' : ` (${withheld})`}`;
};

function list(all: readonly Incident[], { paint, clock }: Context): string {
  if (all.length === 0) return 'Nothing looks like an attack.';
  const titles = ['ID', 'KIND', 'ABOUT', 'STATUS', 'COUNT', 'LAST', 'RESPONSE'];
  const rows = all.map((one) => [
    ...[one.id, one.kind, `${one.type} ${one.subject}`],
    one.status === 'open' ? paint('red', one.status) : one.status,
    ...[String(one.count), ago(one.lastAt, clock.now()), responseOf(one)],
  ]);
  return table(
    titles.map((title) => ({ title })),
    rows,
    (text) => paint('dim', text),
  );
}

function whole(incident: Incident): string {
  const samples = Object.entries(incident.evidence)
    .filter(([, values]) => values.length > 0)
    .map(([name, values]) => `  ${name.padEnd(10)} ${values.join(', ')}`);
  return [
    `${incident.id}: ${incident.status}, ${incident.type} ${incident.subject}, ${incident.count} since ${instant(incident.openedAt)}`,
    ...samples,
    `  response   ${responseOf(incident)}`,
    ...(incident.reason === undefined ? [] : [`  reason     ${incident.reason}`]),
    `  what to do ${incident.runbook}`,
  ].join('\n');
}

export const incidents = defineCommand({
  name: 'incidents',
  usage:
    '[--status S] | ID [--ack | --resolve | --lift | --respond throttle|quarantine|revoke [--for 1h]] [--reason WHY]',
  summary: 'what looks like an attack; with an id: its evidence, or what becomes of it',
  positionals: { min: 0, max: 1 },
  flags: z.strictObject({
    status: flag.oneOf(INCIDENT_STATUSES).optional(),
    ack: flag.on.optional(),
    resolve: flag.on.optional(),
    lift: flag.on.optional(),
    respond: flag.oneOf(RESPONSES).optional(),
    for: flag.span.optional(),
    reason: flag.text.optional(),
  }),
  run: async (context, invocation) => {
    const { status, ack, resolve, lift, respond, reason, for: forMs } = invocation.flags;
    const { client } = context;
    if (invocation.positionals.length === 0) {
      const { items } = await client.call('listIncidents', { query: status === undefined ? {} : { status } });
      context.show(items, () => list(items, context));
      return EXIT.done;
    }
    const params = { incident: positional(invocation, 0) };
    const wishes = [ack, resolve, lift, respond].filter((wish) => wish !== undefined);
    if (wishes.length > 1) throw new UsageError('--ack, --resolve, --lift and --respond are four commands');
    if (wishes.length === 0) {
      const incident = await client.call('getIncident', { params });
      context.show(incident, () => whole(incident));
      return EXIT.done;
    }
    if (reason === undefined) throw new UsageError('--reason is missing');
    const after = await (async () => {
      if (respond !== undefined) {
        const body = { kind: respond, reason, ...(forMs !== undefined && { forMs }) };
        return client.call('respondToIncident', { params, body });
      }
      const operation = ack ? 'acknowledgeIncident' : resolve ? 'resolveIncident' : 'liftResponse';
      return client.call(operation, { params, body: { reason } });
    })();
    context.show(after, () => whole(after));
    return EXIT.done;
  },
});

export const erase = defineCommand({
  name: 'erase',
  usage: 'PRINCIPAL --reason WHY',
  summary: 'forget what was observed of a principal: habits, and the evidence of incidents',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({ reason: flag.text }),
  run: async (context, invocation) => {
    const principal = positional(invocation, 0);
    const { reason } = invocation.flags;
    const erased = await context.client.call('erasePrincipal', { params: { principal }, body: { reason } });
    context.show(
      erased,
      () =>
        `${principal}: ${counted(erased.habits, 'habit')} and the evidence of ${counted(erased.incidents, 'incident')} are erased`,
    );
    return EXIT.done;
  },
});
