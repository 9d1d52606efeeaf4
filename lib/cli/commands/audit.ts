import * as z from 'zod';
import type { AuditEvent } from '../../schemas/audit.ts';
import { PAGE_SIZE_MAX } from '../../schemas/common.ts';
import { type CheckedChain, checkChain, checkChains } from '../chains.ts';
import { type Context, defineCommand, EXIT, type ExitCode, flag, UsageError } from '../command.ts';
import { counted, instant } from '../format.ts';
import { table } from '../table.ts';
import { checkedSeals, readPublicKey, sealsLine, showKeys, showProof, showSeals } from './audit-seals.ts';

type Event = z.output<typeof AuditEvent>;
type Query = { entity?: string; from?: number; to?: number };

/** Newest part of the hash that is shown: enough to compare by eye. */
const HASH_SHOWN = 12;
/** Chains with faults that are listed; the rest is counted. */
const LISTED_MAX = 50;
/** Longest range that the API takes; older chains are verified one by one, by --entity. */
const RANGE_MS_MAX = 366 * 86_400_000;
/** Chains that are asked for at the same time. */
const LANES = 8;

async function download(context: Context, query: Query, atMost = Number.POSITIVE_INFINITY): Promise<Event[]> {
  const events: Event[] = [];
  const limit = Math.min(PAGE_SIZE_MAX, atMost);
  for await (const event of context.client.pages('listEvents', { query: { ...query, limit } })) {
    events.push(event);
    if (events.length >= atMost) break;
  }
  return events;
}

async function showEvents(context: Context, query: Query, limit: number | undefined): Promise<ExitCode> {
  const events = await download(context, query, limit);
  context.show(events, () => {
    if (events.length === 0) return 'No events.';
    const rows = events.map(({ at, entity, rev, type, actor, hash }) => [
      ...[instant(at), entity, String(rev), type, actor, hash.slice(0, HASH_SHOWN)],
    ]);
    const titles = ['AT', 'ENTITY', 'REV', 'TYPE', 'ACTOR', 'HASH'];
    const columns = titles.map((title) => ({ title }));
    return table(columns, rows, (text) => context.paint('dim', text));
  });
  return EXIT.done;
}

/** An entity's own chain, from its beginning, read consistently. */
const chainOf = (context: Context, entity: string): Promise<Event[]> => download(context, { entity });

/**
 * All chains with events in the range. The list by time may lag behind and may begin in the middle of a chain, so
 * nothing is called broken on its word: such a chain is downloaded by itself and judged then.
 */
async function chainsOfRange(context: Context, query: Query): Promise<CheckedChain[]> {
  const to = query.to ?? context.clock.now();
  const from = query.from ?? Math.max(0, to - RANGE_MS_MAX);
  const chains = checkChains(await download(context, { from, to }));
  return inLanes(chains, async (chain) => {
    if (chain.faults.length === 0) return chain;
    return checkChain(chain.entity, await chainOf(context, chain.entity));
  });
}

/** Compares the downloaded chain with what the entity itself remembers as its end, asked for before the download. */
async function withHead(context: Context, entity: string): Promise<CheckedChain> {
  const { head } = await context.client.call('verifyChain', { query: { entity } });
  const events = await chainOf(context, entity);
  const checked = checkChain(entity, events);
  if (head === '' || events.some(({ hash }) => hash === head)) return checked;
  const cut = { rev: (events.at(-1)?.rev ?? 0) + 1, fault: 'truncated' as const };
  return { ...checked, faults: [...checked.faults, cut] };
}

interface Depth {
  readonly heads: boolean;
  readonly seals: boolean;
  readonly keyFile: string | undefined;
}

async function verify(context: Context, query: Query, { heads, seals, keyFile }: Depth): Promise<ExitCode> {
  const { entity } = query;
  let chains = entity === undefined ? await chainsOfRange(context, query) : [await withHead(context, entity)];
  if (entity === undefined && heads) {
    chains = await inLanes(chains, (chain) => withHead(context, chain.entity));
  }
  const events = chains.reduce((sum, chain) => sum + chain.events, 0);
  const broken = chains.filter(({ faults }) => faults.length > 0);
  const trusted = await readPublicKey(keyFile);
  const sealed = seals ? await checkedSeals(context, trusted) : { seals: [], faults: [] };
  const verified = broken.length === 0 && sealed.faults.length === 0;
  const result = { verified, events, chains: chains.length, broken };
  const more = seals ? { seals: sealed.seals.length, sealFaults: sealed.faults } : {};
  context.show({ ...result, ...more }, () =>
    [
      renderVerified(result, context),
      ...(seals ? [sealsLine(context, sealed.seals.length, sealed.faults, trusted)] : []),
    ].join('\n'),
  );
  return result.verified ? EXIT.done : EXIT.failed;
}

/** Like map, a few at a time. */
async function inLanes<T, U>(items: readonly T[], work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  const queue = [...items.entries()];
  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      results[next[0]] = await work(next[1]);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return results;
}

function renderVerified(
  result: { verified: boolean; events: number; chains: number; broken: readonly CheckedChain[] },
  { paint }: Context,
): string {
  const total = `${counted(result.events, 'event')} in ${counted(result.chains, 'chain')}`;
  if (result.broken.length === 0) return `${paint('green', 'verified')}: ${total}, each hash computed here`;
  const rows = result.broken
    .slice(0, LISTED_MAX)
    .map(({ entity, faults }) => [entity, faults.map(({ rev, fault }) => `${fault} at ${rev}`).join(', ')]);
  const more = result.broken.length - rows.length;
  return [
    `${paint('red', counted(result.broken.length, 'chain is broken', 'chains are broken'))} of ${total}`,
    table([{ title: 'ENTITY' }, { title: 'FAULTS' }], rows),
    ...(more > 0 ? [`and ${more} more`] : []),
  ].join('\n');
}

export const audit = defineCommand({
  name: 'audit',
  usage:
    'events|verify|seals|keys|proof [--entity KIND#ID] [--rev N] [--from MS] [--to MS] [--limit N] [--heads] [--seals] [--public-key FILE]',
  summary:
    'the audit log; verify downloads it and checks every hash chain here, with --heads also its end and with --seals the signed seals; proof checks that an event is in one',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({
    entity: flag.text.optional(),
    from: flag.whole.optional(),
    to: flag.whole.optional(),
    limit: flag.whole.optional(),
    rev: flag.whole.optional(),
    heads: flag.on.optional(),
    seals: flag.on.optional(),
    'public-key': flag.text.optional(),
  }),
  run: async (
    context,
    { flags: { limit, heads, seals, rev, 'public-key': keyFile, ...rest }, positionals },
  ) => {
    const query: Query = {
      ...(rest.entity !== undefined && { entity: rest.entity }),
      ...(rest.from !== undefined && { from: rest.from }),
      ...(rest.to !== undefined && { to: rest.to }),
    };
    switch (positionals[0]) {
      case 'events':
        return showEvents(context, query, limit);
      case 'verify':
        return verify(context, query, { heads: heads ?? false, seals: seals ?? false, keyFile });
      case 'seals':
        return showSeals(context, keyFile);
      case 'keys':
        return showKeys(context);
      case 'proof':
        if (query.entity === undefined || rev === undefined)
          throw new UsageError('say which event: --entity KIND#ID --rev N');
        return showProof(context, query.entity, rev, keyFile);
      default:
        throw new UsageError('say `audit events`, `verify`, `seals`, `keys` or `proof`');
    }
  },
});
