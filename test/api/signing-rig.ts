import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { type AttributeValue, DynamoDBClient, paginateScan } from '@aws-sdk/client-dynamodb';
import { type Client, createClient } from '../../lib/client/client.ts';
import { requestSigner } from '../../lib/client/request-signer.ts';
import { RETRY_NEVER } from '../../lib/client/retry.ts';
import { SIGNED_PREFIX } from '../../lib/schemas/signature.ts';
import { KeyFile, keyIdOf, thumbprintOf } from '../../lib/schemas/signing.ts';
import type { RawRequest, Rig } from './rig.ts';

const chance = { uniform: Math.random, id: randomUUID };
const clockOff = (byS: number) => ({ now: () => Date.now() + byS * 1000, monotonicMs: () => 0 });

export function newKey(principal: string): KeyFile {
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  return KeyFile.parse({ ...jwk, kid: keyIdOf(principal, thumbprintOf(jwk.x ?? '')) });
}

/** A client that tries once and signs. */
export const signing = (rig: Rig, key: KeyFile, how: { readonly clockOffS?: number } = {}): Client =>
  createClient({
    url: rig.host.url,
    signer: requestSigner(key, clockOff(how.clockOffS ?? 0), chance),
    chance,
    retry: RETRY_NEVER,
  });

/** The request as its signer sends it; whoever is in between may change it then. */
export async function sign(
  rig: Rig,
  raw: RawRequest,
  key: KeyFile,
  how: { readonly clockOffS?: number; readonly host?: string } = {},
): Promise<RawRequest> {
  const path = `${SIGNED_PREFIX}${raw.path}`;
  const url = new URL(path, rig.host.url);
  if (how.host !== undefined) url.host = how.host;
  const { method, headers = {} } = raw;
  const body = raw.body?.toString();
  const signer = requestSigner(key, clockOff(how.clockOffS ?? 0), chance);
  return { ...raw, path, headers: { ...headers, ...(await signer.sign({ method, url, headers, body })) } };
}

/** What a refused request may leave behind: nothing but the number of its signature. */
const OF_SIGNATURES = /^NONCE#/;

/** Every item of state and audit, a line for each, past the API. */
export async function everyItem(rig: Rig): Promise<string[]> {
  const client = new DynamoDBClient({
    endpoint: rig.host.engine.url,
    region: 'local',
    credentials: { accessKeyId: 'x', secretAccessKey: 'x' },
  });
  const lines: string[] = [];
  for (const { name } of rig.host.template.tables.filter(({ id }) => /^(State|Audit)/.test(id)))
    for await (const { Items = [] } of paginateScan({ client }, { TableName: name, ConsistentRead: true }))
      for (const item of Items) if (!OF_SIGNATURES.test(item['pk']?.S ?? '')) lines.push(lineOf(item));
  client.destroy();
  return lines.sort();
}

const lineOf = (item: Record<string, AttributeValue>): string =>
  JSON.stringify(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)));
