import type { Pulse } from '../../health/detector.ts';
import type { Order } from '../../schemas/heartbeat.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { ITEM_VERSION, type Item, N, optNum, refuseNewer, S, str } from '../table/attributes.ts';
import { type Condition, exists, updateInput } from '../table/update.ts';
import { BEAT_VERSION, type KeptPulses, keptPulses, pulseChanges } from './beat-pulses.ts';

/** What is known of a labscape's hosts: one packed item, one write per batch. */
export interface BeatRecord {
  readonly labscape: string;
  readonly pulses: ReadonlyMap<string, Pulse>;
  readonly orders: readonly Order[];
  /** No verdict falls before, epoch ms: the controller was blind. */
  readonly graceUntil: number;
  /** Clock of the batch that was taken in last, epoch ms; undefined before the first. */
  readonly heardAt: number | undefined;
  /** Clock of the first batch, epoch ms. */
  readonly heardSince: number;
  /** Where the clock stood when it was last seen to have been set back, epoch ms. */
  readonly setBackFrom: number;
  /** Clock of the last batch before the silence that the grace follows, epoch ms. */
  readonly silentFrom: number | undefined;
  /** Labscapes that its agents cannot reach, by agent, and when each said so, epoch ms. */
  readonly unreachable: ReadonlyMap<string, { readonly at: number; readonly labscapes: readonly string[] }>;
  /** Others' resources that its agents tried to reach, by agent. */
  readonly probed: ReadonlyMap<string, Probed>;
  /** Why a resource is degraded, in its agent's words, by resource. */
  readonly words: ReadonlyMap<string, string>;
  /** Where the item keeps its pulses: what the next write must find unchanged. */
  readonly kept: KeptPulses;
}

/** What an agent said of others' resources, and when, epoch ms. */
export interface Probed {
  readonly at: number;
  readonly reached: readonly string[];
  readonly unreached: readonly string[];
}

/** What a batch changes of it, epoch ms. */
export interface HeardNow {
  readonly heardAt: number;
  readonly heardSince?: number;
  readonly setBackFrom?: number;
  readonly graceUntil?: number | undefined;
  readonly silentFrom?: number | undefined;
}

const ORDER = 'o_';
const UNREACHABLE = 'u_';
const PROBED = 'p_';
const WORD = 'w_';

const idsOf = (text: string | undefined): readonly string[] => (text ? text.split(',') : []);

/** Of no item: a labscape that never beat. Throws NewerVersion. */
export const decodeBeats = (labscape: string, item: Item | undefined): BeatRecord => {
  if (item !== undefined) refuseNewer(item, BEAT_VERSION);
  const orders: Order[] = [];
  const unreachable = new Map<string, { at: number; labscapes: readonly string[] }>();
  const probed = new Map<string, Probed>();
  const words = new Map<string, string>();
  for (const [name, value] of Object.entries(item ?? {})) {
    if (value.S === undefined) continue;
    if (name.startsWith(UNREACHABLE)) {
      const [at, ids = ''] = value.S.split('|');
      unreachable.set(name.slice(UNREACHABLE.length), { at: Number(at), labscapes: ids.split(',') });
    }
    if (name.startsWith(PROBED)) {
      const [at, reached, unreached] = value.S.split('|');
      const said = { at: Number(at), reached: idsOf(reached), unreached: idsOf(unreached) };
      probed.set(name.slice(PROBED.length), said);
    }
    if (name.startsWith(WORD)) words.set(name.slice(WORD.length), value.S);
    if (name.startsWith(ORDER)) orders.push(JSON.parse(value.S) as Order);
  }
  const at = (name: string): number | undefined => (item === undefined ? undefined : optNum(item, name));
  return {
    ...{ labscape, ...keptPulses(item ?? {}), orders, unreachable, probed, words },
    graceUntil: at('graceUntil') ?? 0,
    heardAt: at('heardAt'),
    heardSince: at('heardSince') ?? 0,
    setBackFrom: at('setBackFrom') ?? 0,
    silentFrom: at('silentFrom'),
  };
};

export const readBeats = async (store: Store, labscape: string): Promise<BeatRecord> =>
  decodeBeats(labscape, await store.get(keys.beat(labscape)));

/** One for each, in the order asked for; consistently read. */
export const readManyBeats = async (
  store: Store,
  labscapes: readonly string[],
): Promise<readonly BeatRecord[]> => {
  const items = await store.getMany(labscapes.map(keys.beat));
  const byPk = new Map(items.map((item) => [str(item, 'pk'), item]));
  return labscapes.map((labscape) => decodeBeats(labscape, byPk.get(keys.beat(labscape).pk.S)));
};

/** What an agent tells of its hosts in one batch. */
export interface Batch {
  readonly agent: string;
  readonly seq: number;
  readonly pulses: ReadonlyMap<string, Pulse>;
  /** Labscapes that it cannot reach; undefined leaves what stands, of which it said the same. */
  readonly unreachable: readonly string[] | undefined;
  /** What it says of others' resources; empty takes back what stands, undefined leaves it. */
  readonly probed: Omit<Probed, 'at'> | undefined;
  /** Why resources are degraded, where that is another word than stands; undefined takes it back. */
  readonly words?: ReadonlyMap<string, string | undefined>;
}

/**
 * A batch that was taken in, with the item after it; one that somebody was faster than; or one that its agent's number
 * refuses, which was `last` before.
 */
export type Taken =
  | { readonly kind: 'done' | 'raced'; readonly beats: BeatRecord }
  | { readonly kind: 'replayed'; readonly last: number };

/**
 * Takes a batch in that was made of `before`: nothing of it has changed that the batch rewrites. The agent's sequence
 * number must grow: its replay guard. `packed`: false writes what code knows that is older than blocks of pulses.
 */
export const writeBeats = async (
  store: Store,
  before: BeatRecord,
  { agent, seq, pulses, unreachable, probed, words = new Map() }: Batch,
  heard: HeardNow,
  packed = true,
): Promise<Taken> => {
  const { labscape, kept } = before;
  const last = kept.seqs.get(agent) ?? 0;
  if (seq <= last) return { kind: 'replayed', last };
  const changes = pulseChanges(kept, { agent, seq, pulses }, packed);
  const set: Item = { ...changes.set };
  for (const [name, at] of Object.entries(heard)) if (at !== undefined) set[name] = N(at);
  const said = `${UNREACHABLE}${agent}`;
  if (unreachable !== undefined && unreachable.length > 0)
    set[said] = S(`${heard.heardAt}|${unreachable.join(',')}`);
  const told = `${PROBED}${agent}`;
  const tells = probed !== undefined && probed.reached.length + probed.unreached.length > 0;
  if (tells) set[told] = S(`${heard.heardAt}|${probed.reached.join(',')}|${probed.unreached.join(',')}`);
  const unsaid: string[] = [];
  for (const [resource, word] of words) {
    if (word === undefined) unsaid.push(`${WORD}${resource}`);
    else set[`${WORD}${resource}`] = S(word);
  }
  const remove = [
    ...changes.remove,
    ...unsaid,
    ...(unreachable?.length === 0 ? [said] : []),
    ...(probed === undefined || tells ? [] : [told]),
  ];
  const outcome = await store.update(
    updateInput({
      table: store.tables.state,
      key: keys.beat(labscape),
      set,
      ...(remove.length === 0 ? {} : { remove }),
      conditions: [...changes.conditions, exists('pk')],
    }),
  );
  const beats = decodeBeats(labscape, outcome.item);
  return { kind: outcome.kind === 'done' ? 'done' : 'raced', beats };
};

/** The labscape's empty heartbeat item, born with the labscape. */
export const newBeatItem = (labscape: string): Item => ({ ...keys.beat(labscape), v: N(ITEM_VERSION) });

/** Leaves an order for any agent of the labscape; it replaces one of an older recovery. */
export const putOrder = async (store: Store, labscape: string, order: Order): Promise<void> => {
  const name = `${ORDER}${order.resource}`;
  await store.write(
    updateInput({
      table: store.tables.state,
      key: keys.beat(labscape),
      set: { [name]: S(JSON.stringify(order)) },
      conditions: [exists('pk')],
    }),
  );
};

/** Takes the resource's order back; with `recovery`, only that recovery's. */
export const dropOrder = async (
  store: Store,
  labscape: string,
  resource: string,
  recovery?: string,
): Promise<void> => {
  const name = `${ORDER}${resource}`;
  const ofRecovery: Condition[] =
    recovery === undefined
      ? []
      : [(p) => `contains(${p.name(name)}, ${p.value(S(`"recovery":${JSON.stringify(recovery)}`))})`];
  await store.write(
    updateInput({
      table: store.tables.state,
      key: keys.beat(labscape),
      remove: [name],
      conditions: [exists('pk'), ...ofRecovery],
    }),
  );
};
