import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { ObjectRetained, type ObjectStore } from '../../../lib/store/objects.ts';

const LIST_MAX = 1_000;
/** Beside the objects: a key's own parts never begin with a dot. */
const RETENTION = '.retention';
const UNFINISHED = '.unfinished-';
const Retention = z.object({ retainUntil: z.number() });

export interface FolderPut {
  readonly retainUntil?: number;
  /** Only if there is none yet; else `false` is returned and nothing is written. */
  readonly absent?: boolean;
}

/** Where an object lies below the folder: as its key reads, since the parts of ours are plain names. */
const pathOf = (key: string): string[] =>
  key.split('/').map((part) => {
    if (part === '') throw new RangeError(`${key} is no key of an object: a part of it is empty`);
    return encodeURIComponent(part).replace(/^\./, '%2E');
  });
const keyOf = (path: readonly string[]): string => path.map(decodeURIComponent).join('/');

/**
 * Objects as files below a folder, which may as well be a copy of a bucket. An object is there whole or not at all,
 * also after a power cut: it is written beside, synced, and renamed. Retention is kept by this class alone; who may
 * write the folder may remove a file.
 */
export class FolderObjects implements ObjectStore {
  readonly #folder: string;
  readonly #now: () => number;

  constructor(folder: string, now: () => number) {
    this.#folder = folder;
    this.#now = now;
  }

  async put(key: string, body: Uint8Array, options: FolderPut = {}): Promise<void> {
    await this.write(key, body, options);
  }

  /** True once it is written. Raises ObjectRetained. */
  async write(key: string, body: Uint8Array, options: FolderPut = {}): Promise<boolean> {
    const path = pathOf(key);
    if (options.absent === true) {
      if ((await this.get(key)) !== undefined) return false;
    } else await this.#refuseIfRetained(key);
    // First, so that there is no moment at which the object lies unprotected.
    if (options.retainUntil !== undefined)
      await this.#replace(
        join(this.#folder, RETENTION, ...path),
        Buffer.from(JSON.stringify({ retainUntil: options.retainUntil })),
      );
    return this.#replace(join(this.#folder, ...path), body, options.absent);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return ifThere(() => readFile(join(this.#folder, ...pathOf(key))));
  }

  async list(prefix: string, after = ''): Promise<readonly string[]> {
    const inside = prefix.split('/').slice(0, -1);
    const found = await this.#below(inside.length === 0 ? [] : pathOf(inside.join('/')));
    return found
      .filter((key) => key.startsWith(prefix) && byBytes(key, after) > 0)
      .toSorted(byBytes)
      .slice(0, LIST_MAX);
  }

  async remove(key: string): Promise<void> {
    await this.#refuseIfRetained(key);
    await rm(join(this.#folder, ...pathOf(key)), { force: true });
    await rm(join(this.#folder, RETENTION, ...pathOf(key)), { force: true });
  }

  /** Epoch ms; undefined if it may be replaced. */
  async retainedUntil(key: string): Promise<number | undefined> {
    const text = await ifThere(() => readFile(join(this.#folder, RETENTION, ...pathOf(key)), 'utf8'));
    return text === undefined ? undefined : Retention.parse(JSON.parse(text)).retainUntil;
  }

  async #refuseIfRetained(key: string): Promise<void> {
    const until = await this.retainedUntil(key);
    if (until === undefined || until <= this.#now()) return;
    // A retention without its object is what a stop between the two leaves.
    if ((await this.get(key)) !== undefined) throw new ObjectRetained(key);
  }

  async #below(path: readonly string[]): Promise<string[]> {
    const entries = await ifThere(() => readdir(join(this.#folder, ...path), { withFileTypes: true }));
    const keys: string[] = [];
    for (const entry of entries ?? []) {
      if (entry.name.startsWith('.')) continue;
      const inner = [...path, entry.name];
      if (entry.isDirectory()) keys.push(...(await this.#below(inner)));
      else if (entry.isFile()) keys.push(keyOf(inner));
    }
    return keys;
  }

  async #replace(target: string, body: Uint8Array, absent = false): Promise<boolean> {
    const folder = dirname(target);
    await mkdir(folder, { recursive: true });
    const unfinished = join(folder, `${UNFINISHED}${randomUUID()}`);
    try {
      await synced(unfinished, 'wx', (file) => file.writeFile(body));
      // A second name is refused where there is one: of two writers at once, one learns that it came second.
      if (absent) await link(unfinished, target);
      else await rename(unfinished, target);
      await synced(folder, 'r');
      return true;
    } catch (error) {
      if (absent && codeOf(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(unfinished, { force: true });
    }
  }
}

type File = Awaited<ReturnType<typeof open>>;

async function synced(path: string, flags: string, work: (file: File) => Promise<void> = async () => {}) {
  const file = await open(path, flags);
  try {
    await work(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The order in which S3 lists. */
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Not by `instanceof`, which says no in a realm of its own. */
const codeOf = (error: unknown): unknown => Object(error).code;

async function ifThere<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR' || codeOf(error) === 'EISDIR')
      return undefined;
    throw error;
  }
}
