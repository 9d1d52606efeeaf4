import { MEMORY, type Signal } from '../../health/change.ts';
import type { Pulse } from '../../health/detector.ts';
import type { Order } from '../../schemas/heartbeat.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { ITEM_VERSION, type Item, N, optNum, refuseNewer, S, str } from '../table/attributes.ts';
import { type Condition, exists, updateInput } from '../table/update.ts';

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

/** What names begin with: of a resource's pulse, and of an agent's sequence number. */
export const PULSE = 'r_';
export const AGENT = 'a_';
const ORDER = 'o_';
const UNREACHABLE = 'u_';
const PROBED = 'p_';

const idsOf = (text: string | undefined): readonly string[] => (text ? text.split(',') : []);

/** Digits that are enough to learn on in small steps, and to compare. */
const LEARNT_DIGITS = 5;
const SEEN_DIGITS = 3;
const short = (figure: number, digits: number): string => String(Number(figure.toPrecision(digits)));

const packSignal = (signal: Signal | undefined): string => {
  if (signal === undefined) return '';
  const { count, mean, deviation, recent, sum } = signal;
  const learnt = [mean, deviation].map((figure) => short(figure, LEARNT_DIGITS));
  if (sum === 0 && count === MEMORY) return learnt.join(',');
  const seen = [recent, sum].map((figure) => short(figure, SEEN_DIGITS));
  return [...learnt, ...seen, ...(count === MEMORY ? [] : [count])].join(',');
};

const unpackSignal = (text: string): Signal | undefined => {
  if (text === '') return undefined;
  const [mean = 0, deviation = 0, recent = mean, sum = 0, count = MEMORY] = text.split(',').map(Number);
  return { count, mean, deviation, recent, sum };
};

/** What is as if nothing had ever been said is not kept. */
const NO_ERRORS = packSignal({ count: MEMORY, mean: 0, deviation: 0, recent: 0, sum: 0 });

/**
 * A pulse as one short string: it is rewritten with every beat, and each KB of a labscape's is paid for. What came later
 * stands last, since older readers pass it over; the two empty fields were the agent and its number.
 */
export const packPulse = (pulse: Pulse): string => {
  const faults = packSignal(pulse.faults);
  return [
    pulse.lastAt,
    short(pulse.meanMs, LEARNT_DIGITS),
    short(pulse.deviationMs, LEARNT_DIGITS - 1),
    ...['', ''],
    pulse.status,
    pulse.epoch,
    pulse.leaseEndMs,
    packSignal(pulse.latency),
    faults === NO_ERRORS ? '' : faults,
    ...(pulse.pace === undefined ? [] : [pulse.pace.meanMs ?? '', Math.round(pulse.pace.factor * 1_000)]),
  ]
    .join('|')
    .replace(/\|+$/, '');
};

export const unpackPulse = (text: string): Pulse => {
  const fields = text.split('|');
  const [lastAt, meanMs, deviationMs, , , status, epoch, leaseEndMs] = fields;
  const latency = unpackSignal(fields[8] ?? '');
  const faults = unpackSignal(fields[9] ?? '');
  const [paceMs, thousandths] = fields.slice(10);
  return {
    lastAt: Number(lastAt),
    meanMs: Number(meanMs),
    deviationMs: Number(deviationMs),
    status: status === 'failed' || status === 'degraded' ? status : 'ok',
    epoch: Number(epoch),
    leaseEndMs: Number(leaseEndMs),
    ...(latency === undefined ? {} : { latency }),
    ...(faults === undefined ? {} : { faults }),
    ...(thousandths === undefined
      ? {}
      : {
          pace: {
            meanMs: paceMs === '' ? undefined : Number(paceMs),
            factor: Number(thousandths) / 1_000,
          },
        }),
  };
};

export const decodeBeats = (labscape: string, item: Item | undefined): BeatRecord => {
  if (item !== undefined) refuseNewer(item);
  const pulses = new Map<string, Pulse>();
  const orders: Order[] = [];
  const unreachable = new Map<string, { at: number; labscapes: readonly string[] }>();
  const probed = new Map<string, Probed>();
  for (const [name, value] of Object.entries(item ?? {})) {
    if (value.S === undefined) continue;
    if (name.startsWith(PULSE)) pulses.set(name.slice(PULSE.length), unpackPulse(value.S));
    if (name.startsWith(UNREACHABLE)) {
      const [at, ids = ''] = value.S.split('|');
      unreachable.set(name.slice(UNREACHABLE.length), { at: Number(at), labscapes: ids.split(',') });
    }
    if (name.startsWith(PROBED)) {
      const [at, reached, unreached] = value.S.split('|');
      const said = { at: Number(at), reached: idsOf(reached), unreached: idsOf(unreached) };
      probed.set(name.slice(PROBED.length), said);
    }
    if (name.startsWith(ORDER)) orders.push(JSON.parse(value.S) as Order);
  }
  const at = (name: string): number | undefined => (item === undefined ? undefined : optNum(item, name));
  return {
    ...{ labscape, pulses, orders, unreachable, probed },
    graceUntil: at('graceUntil') ?? 0,
    heardAt: at('heardAt'),
    heardSince: at('heardSince') ?? 0,
    setBackFrom: at('setBackFrom') ?? 0,
    silentFrom: at('silentFrom'),
  };
};

export const readBeats = async (store: Store, labscape: string): Promise<BeatRecord> =>
  decodeBeats(labscape, await store.get(keys.beat(labscape)));

export const readManyBeats = async (
  store: Store,
  labscapes: readonly string[],
): Promise<readonly BeatRecord[]> => {
  const items = await store.getMany(labscapes.map(keys.beat));
  const byPk = new Map(items.map((item) => [str(item, 'pk'), item]));
  return labscapes.map((labscape) => decodeBeats(labscape, byPk.get(keys.beat(labscape).pk.S)));
};

/** The agent's sequence number must have grown: its replay guard. */
const isNewer =
  (agent: string, seq: number): Condition =>
  (p) => {
    const last = p.name(`${AGENT}${agent}`);
    return `attribute_not_exists(${last}) OR ${last} < ${p.value(N(seq))}`;
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
}

/** Takes a batch in; undefined when its sequence number is not greater than the agent's last. */
export const writeBeats = async (
  store: Store,
  labscape: string,
  { agent, seq, pulses, unreachable, probed }: Batch,
  heard: HeardNow,
): Promise<BeatRecord | undefined> => {
  const set: Item = { [`${AGENT}${agent}`]: N(seq) };
  for (const [resource, pulse] of pulses) set[`${PULSE}${resource}`] = S(packPulse(pulse));
  for (const [name, at] of Object.entries(heard)) if (at !== undefined) set[name] = N(at);
  const said = `${UNREACHABLE}${agent}`;
  if (unreachable !== undefined && unreachable.length > 0)
    set[said] = S(`${heard.heardAt}|${unreachable.join(',')}`);
  const told = `${PROBED}${agent}`;
  const tells = probed !== undefined && probed.reached.length + probed.unreached.length > 0;
  if (tells) set[told] = S(`${heard.heardAt}|${probed.reached.join(',')}|${probed.unreached.join(',')}`);
  const remove = [
    ...(unreachable?.length === 0 ? [said] : []),
    ...(probed === undefined || tells ? [] : [told]),
  ];
  const outcome = await store.update(
    updateInput({
      table: store.tables.state,
      key: keys.beat(labscape),
      set,
      ...(remove.length === 0 ? {} : { remove }),
      conditions: [isNewer(agent, seq), exists('pk')],
    }),
  );
  return outcome.kind === 'done' ? decodeBeats(labscape, outcome.item) : undefined;
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
