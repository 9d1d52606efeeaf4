import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeleteItemCommand, type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { type Engine, startEngine } from '../../infra/local/database/engine.ts';
import { SigningKeys } from '../../infra/local/kms/signing-keys.ts';
import { type S3Endpoint, startS3Endpoint } from '../../infra/local/objects/s3-endpoint.ts';
import { synthesise } from '../../infra/local/template/synthesise.ts';
import { ensureTables } from '../../infra/local/template/tables.ts';
import { readTemplate } from '../../infra/local/template/template.ts';
import { type ChainHead, EMPTY_CHAIN, headOf, nextEvent } from '../../lib/audit/event.ts';
import { verifySeals } from '../../lib/audit/seal.ts';
import { keyFromSpki } from '../../lib/audit/seal-key.ts';
import type { AuditEvent } from '../../lib/schemas/audit.ts';
import type { Seal } from '../../lib/schemas/seal.ts';
import { readWindow } from '../../lib/services/trail/seal-archive.ts';
import type { SealerParts, SealSigner } from '../../lib/services/trail/sealing.ts';
import { putEvent } from '../../lib/store/events.ts';
import type { ObjectStore } from '../../lib/store/objects.ts';
import { S3Objects, s3Client } from '../../lib/store/s3-objects.ts';
import { sealKeys, sealsAfter } from '../../lib/store/seals.ts';
import { Store } from '../../lib/store/store.ts';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';

export const MINUTE_MS = 60_000;
const CREDENTIALS = { region: 'us-east-1', credentials: { accessKeyId: 'rig', secretAccessKey: 'rig' } };

/** Signs with keys of a data folder, as the local host's KMS does. `names`: oldest first. */
export const folderSigner = (keys: SigningKeys, names: readonly string[]): SealSigner => {
  const held = names.map((name) => ({ ...keyFromSpki(keys.publicKey(name)), name }));
  return {
    keys: async () => held,
    sign: async (key, message) => keys.sign(held.find(({ id }) => id === key)?.name ?? '', message),
  };
};

/** The shipped sealer over the real engine and the local S3, with a clock and events of the test's own. */
export class SealingRig {
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly keys: SigningKeys;
  readonly client: DynamoDBClient;
  /** A window begins here. */
  now = Date.parse('2026-11-20T12:00:00Z');
  readonly #engine: Engine;
  readonly #s3: S3Endpoint;
  readonly #folder: string;
  readonly #heads = new Map<string, ChainHead>();

  static async start(): Promise<SealingRig> {
    const folder = mkdtempSync(join(tmpdir(), 'labscape-seals-'));
    const { tables } = readTemplate(await synthesise());
    const engine = await startEngine();
    await ensureTables(engine.url, tables);
    const bucket = { name: 'archive', arn: 'arn:aws:s3:::archive', lockDays: 30 };
    const caller = { id: 'Rig', name: 'rig', arn: '', codeDir: '', layerDirs: [], handler: '' };
    const more = { environment: {}, memoryMiB: 1, timeoutS: 1, roleArn: '', statements: [] };
    const callers = new Map([['rig', { ...caller, ...more }]]);
    const s3 = await startS3Endpoint({ buckets: [bucket], callers, folder, guards: false });
    const named = (part: string) => tables.find(({ id }) => id.startsWith(part))?.name ?? '';
    return new SealingRig(engine, s3, folder, { state: named('State'), audit: named('Audit') });
  }

  private constructor(engine: Engine, s3: S3Endpoint, folder: string, tables: Store['tables']) {
    this.#engine = engine;
    this.#s3 = s3;
    this.#folder = folder;
    this.client = dynamodbClient({ endpoint: engine.url, ...CREDENTIALS });
    this.store = new Store(this.client, tables);
    this.objects = new S3Objects(s3Client({ endpoint: s3.url, ...CREDENTIALS }), 'archive', {
      now: () => this.now,
    });
    this.keys = new SigningKeys(join(folder, 'seal-keys.json'));
  }

  parts(more: Partial<SealerParts> = {}): SealerParts {
    return {
      store: this.store,
      objects: this.objects,
      signer: folderSigner(this.keys, ['one']),
      clock: { now: () => this.now, monotonicMs: () => 0 },
      retainMs: 30 * 24 * 60 * MINUTE_MS,
      ...more,
    };
  }

  /** Writes the next event of an entity, as of `at`. */
  async happened(id: string, at = this.now): Promise<AuditEvent> {
    const entity = `principal#${id}`;
    const origin = { actor: 'somebody', request: 'test', at };
    const head = this.#heads.get(entity) ?? EMPTY_CHAIN;
    const event = nextEvent(entity, head, origin, 'principal.revoked', { reason: 'test' });
    await this.store.transact([putEvent(this.store, event)]);
    this.#heads.set(entity, headOf(event));
    return event;
  }

  /** Tables as a restore leaves them that brings back events alone. */
  async forget(entities: readonly string[]): Promise<void> {
    const TableName = this.store.tables.audit;
    const { Items = [] } = await this.client.send(new ScanCommand({ TableName }));
    for (const { entity, rev } of Items)
      if (entities.includes(entity?.S ?? ''))
        await this.client.send(
          new DeleteItemCommand({ TableName, Key: { entity: entity ?? { S: '' }, rev: rev ?? { N: '0' } } }),
        );
  }

  seals(): Promise<readonly Seal[]> {
    return sealsAfter(this.store, 0, 1_000);
  }

  async sealed(): Promise<string[]> {
    const windows = await Promise.all((await this.seals()).map((seal) => readWindow(this.objects, seal)));
    return windows.flatMap((events) => (events ?? []).map(({ entity, rev }) => `${entity}/${rev}`));
  }

  async faults() {
    const keys = await sealKeys(this.store);
    return verifySeals(await this.seals(), new Map(keys.map((key) => [key.id, key])));
  }

  async stop(): Promise<void> {
    this.client.destroy();
    await this.#s3.stop();
    await this.#engine.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
