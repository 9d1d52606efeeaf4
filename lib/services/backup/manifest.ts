import canonicalize from 'canonicalize';
import * as z from 'zod';
import { BACKUP_VERSION, Manifest } from '../../schemas/backup.ts';
import type { ObjectStore } from '../../store/objects.ts';
import { BackupDamaged, sha256 } from './parts.ts';

export const BACKUPS = 'backups/';
export const EVENTS = 'events/';
const MANIFEST = '/manifest.json';

export const manifestKey = (id: string): string => `${BACKUPS}${id}${MANIFEST}`;

const digestOf = (manifest: Omit<Manifest, 'digest'>): string => sha256(canonicalize(manifest) ?? '');

/** Written last: a backup without one is none. */
export async function writeManifest(
  objects: ObjectStore,
  draft: Omit<Manifest, 'digest' | 'version'>,
): Promise<Manifest> {
  const whole = { version: BACKUP_VERSION, ...draft } as const;
  const manifest: Manifest = { ...whole, digest: digestOf(whole) };
  await objects.put(manifestKey(draft.id), Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`));
  return manifest;
}

/** Raises BackupDamaged, which names what is wrong. */
export async function readManifest(objects: ObjectStore, id: string): Promise<Manifest> {
  const key = manifestKey(id);
  const body = await objects.get(key);
  if (body === undefined) throw new BackupDamaged(`${key} is missing: there is no backup ${id}`);
  const { digest, ...rest } = parse(key, Buffer.from(body).toString('utf8'));
  if (digestOf(rest) !== digest)
    throw new BackupDamaged(`${key} was changed: it is not what its digest says`);
  if (rest.id !== id) throw new BackupDamaged(`${key} is that of backup ${rest.id}`);
  return { ...rest, digest };
}

function parse(key: string, text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new BackupDamaged(`${key} is not JSON`, { cause: error });
  }
  const parsed = Manifest.safeParse(json);
  if (!parsed.success) throw new BackupDamaged(`${key} is no manifest: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

/** Keys below a prefix, all of them. */
export async function allKeys(objects: ObjectStore, prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for (let page = await objects.list(prefix); page.length > 0; page = await objects.list(prefix, keys.at(-1)))
    keys.push(...page);
  return keys;
}

/** Ids of backups that have a manifest, newest first. */
export async function listBackups(objects: ObjectStore): Promise<readonly string[]> {
  const keys = await allKeys(objects, BACKUPS);
  return keys
    .filter((key) => key.endsWith(MANIFEST))
    .map((key) => key.slice(BACKUPS.length, -MANIFEST.length))
    .reverse();
}

/** The newest backup whose manifest is whole, of at most `atMost` (epoch ms); undefined if there is none. */
export async function newestBackup(
  objects: ObjectStore,
  atMost: number = Number.POSITIVE_INFINITY,
): Promise<Manifest | undefined> {
  for (const id of await listBackups(objects)) {
    try {
      const manifest = await readManifest(objects, id);
      if (manifest.point <= atMost) return manifest;
    } catch (error) {
      if (!(error instanceof BackupDamaged)) throw error;
    }
  }
  return undefined;
}
