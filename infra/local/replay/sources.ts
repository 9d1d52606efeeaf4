import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createClient } from '../../../lib/client/client.ts';
import { Capsule } from '../../../lib/schemas/capsule.ts';
import { capsuleOf } from '../../../lib/services/recovery/capsule-view.ts';
import { readCapsuleParts } from '../../../lib/store/recovery/capsules.ts';
import { readRecovery } from '../../../lib/store/recovery/recoveries.ts';
import { Store } from '../../../lib/store/store.ts';
import { dynamodbClient } from '../../../lib/store/table/dynamodb-client.ts';
import { openDataFolder } from '../data-folder.ts';
import { startEngine } from '../database/engine.ts';
import { ownTables } from '../database/own-tables.ts';
import { asError, HostError } from '../errors.ts';
import { REGION } from '../template/intrinsics.ts';
import type { Source } from './options.ts';

/** The capsule of a recovery, wherever it is kept. Throws HostError. */
export const capsuleFrom = async (recovery: string, source: Source): Promise<Capsule> => {
  const capsule = await read(recovery, source);
  if (capsule.recovery !== recovery)
    throw new HostError(`that is the capsule of recovery ${capsule.recovery}`);
  if (capsule.steps.length === 0)
    throw new HostError(
      `nothing of recovery ${recovery} was kept: ${capsule.missing[0]?.why ?? 'it decided nothing'}`,
    );
  return capsule;
};

const read = (recovery: string, source: Source): Promise<Capsule> => {
  switch (source.kind) {
    case 'data':
      return fromFolder(recovery, source.dir);
    case 'file':
      return Promise.resolve(fromFile(source.path));
    case 'api':
      return fromApi(recovery, source);
  }
};

const fromFile = (path: string): Capsule => {
  try {
    return Capsule.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new HostError(`${path} is no capsule: ${asError(error).message}`);
  }
};

const fromApi = async (
  recovery: string,
  { url, token }: Extract<Source, { kind: 'api' }>,
): Promise<Capsule> => {
  const chance = { uniform: Math.random, id: randomUUID };
  const client = createClient({ url, chance, ...(token !== undefined && { token: () => token }) });
  try {
    return await client.call('getCapsule', { params: { recovery } });
  } catch (error) {
    throw new HostError(`${url} did not give the capsule: ${asError(error).message}`);
  }
};

const fromFolder = async (recovery: string, dir: string): Promise<Capsule> => {
  // Opening it would make one.
  if (!existsSync(dir)) throw new HostError(`there is no data folder ${dir}`);
  const folder = openDataFolder(dir);
  try {
    if (!existsSync(folder.database)) throw new HostError(`the folder ${dir} has no database`);
    const engine = await startEngine(folder.database);
    folder.noteEngine(engine.pid);
    const client = dynamodbClient({
      endpoint: engine.url,
      region: REGION,
      credentials: { accessKeyId: 'host', secretAccessKey: 'host' },
    });
    try {
      const store = new Store(client, await ownTables(client));
      const found = await readRecovery(store, recovery);
      if (found === undefined) throw new HostError(`the folder ${dir} has no recovery ${recovery}`);
      return capsuleOf(found, await readCapsuleParts(store, recovery));
    } finally {
      client.destroy();
      await engine.stop();
    }
  } finally {
    folder.release();
  }
};
