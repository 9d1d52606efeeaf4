import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import type { BackupPart } from '../../schemas/backup.ts';
import type { ObjectStore } from '../../store/objects.ts';

/** Of a part before it is compressed: what a reader holds in memory at once, characters. */
const PART_CHARS_MAX = 4 * 1024 * 1024;
/** A part that claims to be larger is not one of ours, bytes. */
const UNPACKED_BYTES_MAX = 64 * 1024 * 1024;

/** A backup that is not as it was written: which part, and why. */
export class BackupDamaged extends Error {
  override readonly name = 'BackupDamaged';
}

export const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');

/** Writes lines into parts of bounded size, `KEY-0001.jsonl.gz` and on. */
export async function writeParts(
  objects: ObjectStore,
  key: string,
  lines: Iterable<string>,
): Promise<BackupPart[]> {
  const parts: BackupPart[] = [];
  let held: string[] = [];
  let chars = 0;
  const flush = async (): Promise<void> => {
    if (held.length === 0) return;
    const body = await promisify(gzip)(`${held.join('\n')}\n`);
    const name = `${key}-${String(parts.length + 1).padStart(4, '0')}.jsonl.gz`;
    await objects.put(name, body);
    parts.push({ key: name, sha256: sha256(body), bytes: body.length, lines: held.length });
    held = [];
    chars = 0;
  };
  for (const line of lines) {
    if (chars + line.length > PART_CHARS_MAX) await flush();
    held.push(line);
    chars += line.length;
  }
  await flush();
  return parts;
}

/** The lines of a part. Raises BackupDamaged, which names it. */
export async function readPart(objects: ObjectStore, part: BackupPart): Promise<readonly string[]> {
  const body = await objects.get(part.key);
  if (body === undefined) throw new BackupDamaged(`${part.key} is missing`);
  if (body.length !== part.bytes)
    throw new BackupDamaged(`${part.key} has ${body.length} bytes, its manifest says ${part.bytes}`);
  if (sha256(body) !== part.sha256) throw new BackupDamaged(`${part.key} is not as its manifest says`);
  const text = await unpack(body, part.key);
  const lines = text.split('\n').slice(0, -1);
  if (lines.length !== part.lines)
    throw new BackupDamaged(`${part.key} has ${lines.length} lines, its manifest says ${part.lines}`);
  return lines;
}

async function unpack(body: Uint8Array, key: string): Promise<string> {
  try {
    return (await promisify(gunzip)(body, { maxOutputLength: UNPACKED_BYTES_MAX })).toString('utf8');
  } catch (error) {
    throw new BackupDamaged(`${key} cannot be unpacked`, { cause: error });
  }
}
