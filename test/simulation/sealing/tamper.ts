import { generateKeyPairSync, sign } from 'node:crypto';
import { headOf, nextEvent } from '../../../lib/audit/event.ts';
import { sealedBytes, signedSeal } from '../../../lib/audit/seal.ts';
import type { AuditEvent } from '../../../lib/schemas/audit.ts';
import type { Seal } from '../../../lib/schemas/seal.ts';
import { archiveKeys } from '../../../lib/services/trail/seal-archive.ts';
import { putEvent } from '../../../lib/store/events.ts';
import { Store } from '../../../lib/store/store.ts';
import { bareClient, type Wire } from '../world/bare-client.ts';
import type { Stream } from '../world/chance.ts';
import type { World } from '../world/world.ts';
import type { MemoryObjects } from './memory-objects.ts';

export interface Scene {
  readonly world: World;
  readonly wire: Wire;
  readonly objects: MemoryObjects;
  readonly seals: readonly Seal[];
  readonly chance: Stream;
}

type Tampering = (scene: Scene) => Promise<string>;

const keyOf = (entity: string, rev: number) => ({ entity: { S: entity }, rev: { N: String(rev) } });
const anEvent = ({ world, chance }: Scene): AuditEvent => chance.pick(world.state.events);
const aSeal = ({ seals, chance }: Scene): Seal => chance.pick(seals);
const nameOf = ({ entity, rev }: AuditEvent): string => `${entity}/${rev}`;

const send = async ({ wire }: Scene, operation: string, input: object): Promise<void> => {
  const { status, body } = await wire(operation, JSON.stringify(input));
  if (status !== 200) throw new Error(`${operation} was refused: ${body}`);
};

/** What somebody may do behind the control plane's back; each returns the item that the verification must name. */
const TAMPERINGS: Readonly<Record<string, Tampering>> = {
  'an event edited': async (scene) => {
    const event = anEvent(scene);
    await send(scene, 'UpdateItem', {
      ...{ TableName: scene.world.options.tables.audit, Key: keyOf(event.entity, event.rev) },
      UpdateExpression: 'SET actor = :a',
      ExpressionAttributeValues: { ':a': { S: 'mallory' } },
    });
    return nameOf(event);
  },
  'an event deleted': async (scene) => {
    const event = anEvent(scene);
    const Key = keyOf(event.entity, event.rev);
    await send(scene, 'DeleteItem', { TableName: scene.world.options.tables.audit, Key });
    return nameOf(event);
  },
  'an event put in': async (scene) => {
    const { world, chance, wire } = scene;
    const { id } = chance.pick([...world.state.resources.values()]);
    const chain = world.state.events.filter(({ entity }) => entity === `resource#${id}`);
    const last = chain.reduce((a, b) => (a.rev > b.rev ? a : b));
    const origin = { actor: 'mallory', request: 'none', at: last.at + 1 };
    const event = nextEvent(last.entity, headOf(last), origin, 'resource.acknowledged', {});
    const store = new Store(bareClient(wire), world.options.tables);
    await store.transact([putEvent(store, event)]);
    return nameOf(event);
  },
  'a resource changed': async (scene) => {
    const { world, chance } = scene;
    const resource = chance.pick([...world.state.resources.values()]);
    const item = world.mirror
      .items(world.options.tables.state)
      .find(({ sk }) => sk?.S === `RES#${resource.id}`);
    await send(scene, 'UpdateItem', {
      ...{ TableName: world.options.tables.state, Key: { pk: item?.['pk'], sk: item?.['sk'] } },
      UpdateExpression: 'SET usedP = :u',
      ExpressionAttributeValues: { ':u': { N: String(resource.used.processing + 1) } },
    });
    return `resource ${resource.id}`;
  },
  'a seal deleted': async (scene) => {
    const { number } = aSeal(scene);
    const Key = keyOf('seal', number);
    await send(scene, 'DeleteItem', { TableName: scene.world.options.tables.audit, Key });
    return `seal ${number}`;
  },
  'a seal forged': async (scene) => {
    const seal = { ...aSeal(scene), root: 'f'.repeat(64) };
    const { privateKey } = generateKeyPairSync('ed25519');
    const forged = signedSeal(seal, sign(null, sealedBytes(seal), privateKey));
    await send(scene, 'UpdateItem', {
      ...{ TableName: scene.world.options.tables.audit, Key: keyOf('seal', seal.number) },
      UpdateExpression: 'SET body = :b',
      ExpressionAttributeValues: { ':b': { S: JSON.stringify(forged) } },
    });
    return `seal ${seal.number}`;
  },
  'a window changed in the archive': async (scene) => {
    const seal = aSeal(scene);
    const key = archiveKeys.window(seal);
    const lines = Buffer.from(scene.objects.objects.get(key) ?? [])
      .toString('utf8')
      .split('\n');
    scene.objects.objects.set(key, Buffer.from(lines.slice(1).join('\n')));
    if (seal.count === 0) scene.objects.objects.delete(key);
    return `seal ${seal.number}`;
  },
};

/** Does one of them; what it was, and the item that must be named. */
export const tamper = async (scene: Scene): Promise<{ readonly what: string; readonly item: string }> => {
  const what = scene.chance.pick(Object.keys(TAMPERINGS));
  const item = (await TAMPERINGS[what]?.(scene)) ?? '';
  return { what, item };
};
