import { generateKeyPairSync } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import * as z from 'zod';
import { readKeyFile } from '../../client/request-signer.ts';
import { PrincipalId } from '../../schemas/common.ts';
import { KeyFile, keyIdOf, parseKeyId, thumbprintOf } from '../../schemas/signing.ts';
import {
  type Context,
  defineCommand,
  EXIT,
  flag,
  type Invocation,
  positional,
  UsageError,
} from '../command.ts';
import { table } from '../table.ts';

const WORDS = ['new', 'register', 'list', 'show', 'revoke'] as const;

/** A key pair in a file that only its owner can read; nothing of it is sent anywhere. */
function makeKey(principal: string, file: string): KeyFile {
  if (!PrincipalId.safeParse(principal).success || !principal.includes('.'))
    throw new UsageError(`${principal} is not LABSCAPE.AGENT, nor break-glass.NAME`);
  const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const kid = keyIdOf(principal, thumbprintOf(jwk.x ?? ''));
  const key = KeyFile.parse({ kty: jwk.kty, crv: jwk.crv, x: jwk.x, d: jwk.d, kid });
  // Never over another key: that could not be made again.
  if (existsSync(file)) throw new UsageError(`${file} exists already: name another file`);
  writeFileSync(file, `${JSON.stringify(key)}\n`, { mode: 0o600, flag: 'wx' });
  return key;
}

async function makeNew(context: Context, invocation: Invocation<unknown>) {
  const file = positional(invocation, 2);
  const { kid, x } = makeKey(positional(invocation, 1), file);
  context.show({ kid, publicKey: x, file }, () => `${file} is the key ${kid}\npublic key: ${x}`);
  return EXIT.done;
}

async function register(context: Context, file: string, overlapMs: number | undefined) {
  const { kid, x } = await readKeyFile(file);
  const principal = parseKeyId(kid)?.principal ?? '';
  const answer = await context.client.call('addKey', {
    params: { principal },
    body: { publicKey: x, ...(overlapMs !== undefined && { overlapMs }) },
  });
  const older = answer.keys.filter((key) => key.good && key.expiresAt !== undefined);
  const until = older.map(
    (key) => `\n${key.id} stays good until ${new Date(key.expiresAt ?? 0).toISOString()}`,
  );
  context.show(answer, () => `${principal} signs with ${kid} from now on${until.join('')}`);
  return EXIT.done;
}

async function list(context: Context, labscape: string) {
  const holders = [];
  for await (const holder of context.client.pages('listKeys', { params: { labscape } })) holders.push(holder);
  const rows = holders.map(({ id, status, keys }) => [
    ...[id, status, String(keys.filter(({ good }) => good).length)],
    keys.find(({ good, expiresAt }) => good && expiresAt === undefined)?.id ?? '',
  ]);
  context.show(holders, () =>
    rows.length === 0
      ? `nobody in ${labscape} has a key`
      : table(
          ['PRINCIPAL', 'IS', 'GOOD KEYS', 'SIGNS WITH'].map((title) => ({ title })),
          rows,
        ),
  );
  return EXIT.done;
}

async function show(context: Context, principal: string) {
  const answer = await context.client.call('getPrincipal', { params: { principal } });
  const rows = answer.keys.map((key) => [
    key.id,
    key.good ? 'good' : key.revokedAt === undefined ? 'expired' : 'revoked',
    new Date(key.addedAt).toISOString(),
    key.expiresAt === undefined ? '' : new Date(key.expiresAt).toISOString(),
  ]);
  context.show(answer, () =>
    rows.length === 0
      ? `${principal} has no key`
      : table(
          ['KEY', 'IS', 'ADDED', 'ENDS'].map((title) => ({ title })),
          rows,
        ),
  );
  return EXIT.done;
}

async function revoke(context: Context, kid: string, reason: string | undefined) {
  const name = parseKeyId(kid);
  if (name === undefined) throw new UsageError(`${kid} is not PRINCIPAL/KEY, as key show says it`);
  if (reason === undefined) throw new UsageError('--reason is missing');
  const { principal, thumbprint } = name;
  const answer = await context.client.call('revokeKey', {
    params: { principal, key: thumbprint },
    body: { reason },
  });
  context.show(answer, () => `${kid} is refused from now on`);
  return EXIT.done;
}

export const key = defineCommand({
  name: 'key',
  usage:
    'new LABSCAPE.AGENT FILE | register FILE [--overlap 24h] | list LABSCAPE | show LABSCAPE.AGENT | revoke LABSCAPE.AGENT/KEY --reason TEXT',
  summary: 'keys with which agents sign instead of sending tokens: makes, registers, lists and revokes them',
  positionals: { min: 2, max: 3 },
  flags: z.object({ overlap: flag.span.optional(), reason: flag.text.optional() }),
  run: async (context, invocation) => {
    const { overlap, reason } = invocation.flags;
    const second = positional(invocation, 1);
    switch (positional(invocation, 0)) {
      case 'new':
        return makeNew(context, invocation);
      case 'register':
        return register(context, second, overlap);
      case 'list':
        return list(context, second);
      case 'show':
        return show(context, second);
      case 'revoke':
        return revoke(context, second, reason);
      default:
        throw new UsageError(`key knows ${WORDS.join(', ')}`);
    }
  },
});
