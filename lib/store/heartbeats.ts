import type { Pulse } from '../health/detector.ts';
import type { Order } from '../schemas/heartbeat.ts';
import { ITEM_VERSION, type Item, N, optNum, refuseNewer, S, str } from './attributes.ts';
import { keys } from './keys.ts';
import type { Store } from './store.ts';
import { type Condition, exists, updateInput } from './update.ts';

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
}

/** What a batch changes of it, epoch ms. */
export interface HeardNow {
  readonly heardAt: number;
  readonly heardSince?: number;
  readonly setBackFrom?: number;
  readonly graceUntil?: number | undefined;
}

const PULSE = 'r_';
const ORDER = 'o_';
const AGENT = 'a_';

/** A pulse as one short string: it is rewritten with every beat. */
const packPulse = (pulse: Pulse): string =>
  [
    pulse.lastAt,
    Math.round(pulse.meanMs * 10) / 10,
    Math.round(pulse.deviationMs * 10) / 10,
    pulse.seq,
    pulse.agent,
    pulse.status,
    pulse.epoch,
    pulse.leaseEndMs,
    ...(pulse.pace === undefined ? [] : [pulse.pace.meanMs ?? '', Math.round(pulse.pace.factor * 1_000)]),
  ].join('|');

const unpackPulse = (text: string): Pulse => {
  const [lastAt, meanMs, deviationMs, seq, agent = '', status, epoch, leaseEndMs, latencyMs, thousandths] =
    text.split('|');
  return {
    lastAt: Number(lastAt),
    meanMs: Number(meanMs),
    deviationMs: Number(deviationMs),
    seq: Number(seq),
    agent,
    status: status === 'failed' || status === 'degraded' ? status : 'ok',
    epoch: Number(epoch),
    leaseEndMs: Number(leaseEndMs),
    ...(thousandths === undefined
      ? {}
      : {
          pace: {
            meanMs: latencyMs === '' ? undefined : Number(latencyMs),
            factor: Number(thousandths) / 1_000,
          },
        }),
  };
};

export const decodeBeats = (labscape: string, item: Item | undefined): BeatRecord => {
  if (item !== undefined) refuseNewer(item);
  const pulses = new Map<string, Pulse>();
  const orders: Order[] = [];
  for (const [name, value] of Object.entries(item ?? {})) {
    if (value.S === undefined) continue;
    if (name.startsWith(PULSE)) pulses.set(name.slice(PULSE.length), unpackPulse(value.S));
    if (name.startsWith(ORDER)) orders.push(JSON.parse(value.S) as Order);
  }
  const at = (name: string): number | undefined => (item === undefined ? undefined : optNum(item, name));
  return {
    ...{ labscape, pulses, orders },
    graceUntil: at('graceUntil') ?? 0,
    heardAt: at('heardAt'),
    heardSince: at('heardSince') ?? 0,
    setBackFrom: at('setBackFrom') ?? 0,
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
const isNewer = (agent: string, seq: number): Condition => ({
  text: 'attribute_not_exists(#seq) OR #seq < :seq',
  names: { '#seq': `${AGENT}${agent}` },
  values: { ':seq': N(seq) },
});

/** Takes a batch in; undefined when its sequence number is not greater than the agent's last. */
export const writeBeats = async (
  store: Store,
  labscape: string,
  agent: string,
  seq: number,
  pulses: ReadonlyMap<string, Pulse>,
  heard: HeardNow,
): Promise<BeatRecord | undefined> => {
  const set: Item = { [`${AGENT}${agent}`]: N(seq) };
  for (const [resource, pulse] of pulses) set[`${PULSE}${resource}`] = S(packPulse(pulse));
  for (const [name, at] of Object.entries(heard)) if (at !== undefined) set[name] = N(at);
  const outcome = await store.update(
    updateInput({
      table: store.tables.state,
      key: keys.beat(labscape),
      set,
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
      : [
          {
            text: 'contains(#order, :recovery)',
            names: { '#order': name },
            values: { ':recovery': S(`"recovery":${JSON.stringify(recovery)}`) },
          },
        ];
  await store.write(
    updateInput({
      table: store.tables.state,
      key: keys.beat(labscape),
      remove: [name],
      conditions: [exists('pk'), ...ofRecovery],
    }),
  );
};
