import type { Manifest } from '../../schemas/backup.ts';
import type { ObjectStore } from '../../store/objects.ts';
import { allKeys, BACKUPS, EVENTS, listBackups, manifestKey, readManifest } from './manifest.ts';
import { BackupDamaged } from './parts.ts';

const DAY_MS = 86_400_000;
/** What has no manifest after so long was never finished, ms. */
const UNFINISHED_MS = DAY_MS;

export interface KeepPolicy {
  /** So many of the newest good ones stay, however old. */
  readonly keep: number;
  /** Younger ones stay, however many. */
  readonly days: number;
}

/**
 * Removes backups that are too old and not among the newest good ones, what was left unfinished, and events that no
 * backup refers to any more. The newest whose manifest is whole always stays. Returns the ids that went.
 */
export async function keepBackups(
  objects: ObjectStore,
  { keep, days }: KeepPolicy,
  now: number,
): Promise<readonly string[]> {
  const ids = await listBackups(objects);
  const good = new Map<string, Manifest>();
  for (const id of ids) {
    const manifest = await wholeManifest(objects, id);
    if (manifest !== undefined) good.set(id, manifest);
  }
  const newest = new Set([...good.keys()].slice(0, Math.max(keep, 1)));
  const gone = ids.filter((id) => !newest.has(id) && startOf(id) < now - days * DAY_MS);
  // The manifest first: what is stopped half-way is no backup.
  for (const id of gone) await objects.remove(manifestKey(id));
  await removeLoose(objects, new Set(ids.filter((id) => !gone.includes(id))), good, now);
  return gone;
}

async function wholeManifest(objects: ObjectStore, id: string): Promise<Manifest | undefined> {
  try {
    return await readManifest(objects, id);
  } catch (error) {
    if (error instanceof BackupDamaged) return undefined;
    throw error;
  }
}

async function removeLoose(
  objects: ObjectStore,
  kept: ReadonlySet<string>,
  manifests: ReadonlyMap<string, Manifest>,
  now: number,
): Promise<void> {
  const used = new Set(
    [...manifests].filter(([id]) => kept.has(id)).flatMap(([, { events }]) => events.map(({ key }) => key)),
  );
  const isOld = (id: string): boolean => startOf(id) < now - UNFINISHED_MS;
  for (const key of await allKeys(objects, BACKUPS)) {
    const id = key.slice(BACKUPS.length).split('/')[0] ?? '';
    if (!kept.has(id) && isOld(id)) await objects.remove(key);
  }
  // While a kept backup cannot tell what it refers to, nobody knows what is loose.
  if ([...kept].some((id) => !manifests.has(id))) return;
  for (const key of await allKeys(objects, EVENTS))
    if (!used.has(key) && isOld(key.slice(EVENTS.length))) await objects.remove(key);
}

/** Epoch ms, by its name; what has another name is none of ours, and never old. */
function startOf(id: string): number {
  const [, day, h, m, s] = /^(\d{4}-\d\d-\d\d)t(\d\d)-(\d\d)-(\d\d)-/.exec(id) ?? [];
  return day === undefined ? Number.POSITIVE_INFINITY : Date.parse(`${day}T${h}:${m}:${s}Z`);
}
