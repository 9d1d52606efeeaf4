import { generateKeyPairSync, sign } from 'node:crypto';
import type { OpenedCopy } from '../../../infra/local/verify/opened-copy.ts';
import { verifyCopy } from '../../../infra/local/verify/verify-folder.ts';
import { keyFromSpki } from '../../../lib/audit/seal-key.ts';
import { WINDOW_MS } from '../../../lib/audit/window.ts';
import { readWindow } from '../../../lib/services/trail/seal-archive.ts';
import { type SealerParts, sealDue } from '../../../lib/services/trail/sealing.ts';
import { sealsAfter } from '../../../lib/store/seals.ts';
import { Store } from '../../../lib/store/store.ts';
import type { Item } from '../../../lib/store/table/attributes.ts';
import { StoreUnavailable, Throttled } from '../../../lib/store/table/errors.ts';
import { bareClient, type Wire } from '../world/bare-client.ts';
import type { World } from '../world/world.ts';
import { MemoryObjects } from './memory-objects.ts';
import { tamper } from './tamper.ts';
import { inTurns, type Lane } from './turns.ts';

/** Histories that end with seals: one of so many. */
export const SEALED_ONE_IN = 4;
/** Share of the events that the index by time shows late to the sealers, and by how much at most, ms. */
const LATE_SHARE = 0.3;
const LATE_MS = 15 * 60_000;
/** Share of the sealers' calls that fail, before they are made or after. */
const FAILED_SHARE = 0.01;
const SEALS_MAX = 1_000;
const DAY_MS = 86_400_000;
const UNAVAILABLE = { status: 500, body: '{"__type":"InternalServerError","message":"gone"}' };

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const KEY = keyFromSpki(publicKey.export({ type: 'spki', format: 'der' }));

/**
 * Two sealers side by side seal what the history has left, window by window, while calls fail and events are seen late:
 * every event must be in exactly one seal (17). Then the shipped verification looks at it, and again after somebody was at
 * it behind the control plane's back: it finds nothing, and the item (18).
 */
export const sealTheEnd = async (world: World): Promise<void> => {
  const objects = new MemoryObjects();
  const plain: Wire = (operation, body) => world.options.engine.call(operation, body);
  const store = new Store(bareClient(plain), world.options.tables);
  await sealAll(world, objects);
  const seals = await sealsAfter(store, 0, SEALS_MAX);
  const sealed: string[] = [];
  for (const seal of seals)
    for (const { entity, rev } of (await readWindow(objects, seal)) ?? []) sealed.push(`${entity}/${rev}`);
  const all = new Set(world.state.events.map(({ entity, rev }) => `${entity}/${rev}`));
  if (new Set(sealed).size !== sealed.length) world.breach(17, 'an event is in two seals');
  for (const name of all) if (!sealed.includes(name)) world.breach(17, `no seal holds ${name}`);
  const wire = mutated(world, plain, 'verification');
  const copy = copyOf(world, objects, wire);
  for (const { item, fault, why } of (await verifyCopy(copy, { publicKey: KEY })).faults)
    world.breach(17, `verification: ${item} ${fault}: ${why}`);
  if (world.breaches.length > 0 || !world.faults.strikes('tampering')) return;
  const { what, item } = await tamper({
    world,
    wire: plain,
    objects,
    seals,
    chance: world.chance('tampering'),
  });
  const { faults } = await verifyCopy(copy, { publicKey: KEY });
  if (!faults.some((found) => found.item === item))
    world.breach(18, `${what}: ${item} is not named, but ${JSON.stringify(faults.slice(0, 3))}`);
};

const sealAll = async (world: World, objects: MemoryObjects): Promise<void> => {
  const times = world.state.events.map(({ at }) => at);
  const end = Math.max(...times) + 2 * LATE_MS + 4 * WINDOW_MS;
  const chance = world.chance('sealing');
  const late = new Map<string, number>();
  for (const { entity, rev, at } of world.state.events)
    if (chance.happens(LATE_SHARE)) late.set(`${entity}/${rev}`, at + LATE_MS * chance.uniform());
  let now = Math.min(...times);
  const run = (who: number, calm: boolean) => async (lane: Lane) => {
    const visible = (name: string): boolean => calm || (late.get(name) ?? 0) <= now - who * WINDOW_MS;
    try {
      await sealDue(partsOf(world, objects, { lane, who, now, visible, calm }));
    } catch (error) {
      if (error instanceof StoreUnavailable || error instanceof Throttled) return;
      world.breach(17, `a sealer failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`);
    }
  };
  // What was before the history, in one go.
  await inTurns(chance, [run(0, true)]);
  for (; now < end && world.breaches.length === 0; now += WINDOW_MS)
    await inTurns(chance, [run(0, false), run(1, false)]);
  // Once everything is seen, an empty day closes what is left.
  now += DAY_MS + 3 * WINDOW_MS;
  await inTurns(chance, [run(0, true)]);
};

interface Circumstances {
  readonly lane: Lane;
  readonly who: number;
  readonly now: number;
  readonly visible: (name: string) => boolean;
  readonly calm: boolean;
}

const partsOf = (world: World, objects: MemoryObjects, around: Circumstances): SealerParts => {
  const chance = world.chance('sealing faults');
  /** A call of a sealer: its turn, and maybe a failure before or after it. */
  const calls = async <T>(work: () => Promise<T>, failed: () => T): Promise<T> => {
    await around.lane.turn();
    const drawn = around.calm ? 1 : chance.uniform();
    if (drawn < FAILED_SHARE / 2) return failed();
    const result = await work();
    return drawn < FAILED_SHARE ? failed() : result;
  };
  const gone = (): never => {
    throw new StoreUnavailable('the archive is gone');
  };
  const engine = mutated(
    world,
    (operation, body) => world.options.engine.call(operation, body),
    `sealer#${around.who}`,
  );
  const wire: Wire = async (operation, body) => {
    const answer = await calls(
      () => engine(operation, body),
      () => UNAVAILABLE,
    );
    return body.includes('"byTime"') ? { ...answer, body: seenOf(answer.body, around.visible) } : answer;
  };
  return {
    store: new Store(bareClient(wire), world.options.tables),
    objects: {
      put: (key, bytes) => calls(() => objects.put(key, bytes), gone),
      get: (key) => calls(() => objects.get(key), gone),
      list: (prefix, after) => calls(() => objects.list(prefix, after), gone),
      remove: (key) => objects.remove(key),
    },
    signer: {
      keys: async () => [KEY],
      sign: (_, message) => calls(async () => sign(null, message, privateKey), gone),
    },
    clock: { now: () => around.now, monotonicMs: () => 0 },
    retainMs: DAY_MS,
  };
};

/** What of an answer of the index is visible to who asks. */
const seenOf = (body: string, visible: (name: string) => boolean): string => {
  const answer: { Items?: Item[] } = JSON.parse(body);
  const Items = (answer.Items ?? []).filter((item) => visible(`${item['entity']?.S}/${item['rev']?.N}`));
  return JSON.stringify({ ...answer, Items });
};

const mutated =
  ({ options: { mutate } }: World, wire: Wire, by: string): Wire =>
  async (operation, body) => {
    const request = { operation, body };
    const sent = mutate.request?.(request, by) ?? request;
    const answer = await wire(sent.operation, sent.body);
    return mutate.answer?.(request, answer, by) ?? answer;
  };

/** The tables of the history as the verification reads those of a folder. */
const copyOf = ({ options: { tables } }: World, archive: MemoryObjects, wire: Wire): OpenedCopy => ({
  archive,
  close: async () => {},
  async *items(table) {
    let next: Item | undefined;
    do {
      const from = next === undefined ? {} : { ExclusiveStartKey: next };
      const { body } = await wire('Scan', JSON.stringify({ TableName: tables[table], ...from }));
      const page: { Items?: Item[]; LastEvaluatedKey?: Item } = JSON.parse(body);
      yield page.Items ?? [];
      next = page.LastEvaluatedKey;
    } while (next !== undefined);
  },
});
