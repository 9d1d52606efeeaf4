import { constants, copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ObjectStore } from '../../../lib/store/objects.ts';
import type { Tables } from '../../../lib/store/store.ts';
import type { Item } from '../../../lib/store/table/attributes.ts';
import { isInUse } from '../data-folder.ts';
import { openFile } from '../database/open-file.ts';
import { HostError } from '../errors.ts';
import { FolderObjects } from '../objects/folder-objects.ts';

export interface OpenedCopy {
  readonly archive: ObjectStore;
  /** Every item of a table, page by page: those of one partition together, by their sort keys. May be read again. */
  items(table: keyof Tables): AsyncIterable<readonly Item[]>;
  close(): Promise<void>;
}

const DATABASE = 'state.db';
/** The end of the archive bucket's name, whatever the stage. */
const ARCHIVE = /-archive$/;

/** Opens a copy of the folder's database, so that not a byte of the folder changes. Throws HostError. */
export const openCopy = async (dataDir: string): Promise<OpenedCopy> => {
  if (!existsSync(join(dataDir, DATABASE))) throw new HostError(`${dataDir} has no database ${DATABASE}`);
  if (isInUse(dataDir)) throw new HostError(`a host has ${dataDir} open: stop it first, or copy the folder`);
  const folder = mkdtempSync(join(tmpdir(), 'labscape-verify-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    for (const part of ['', '-wal']) {
      const from = join(dataDir, `${DATABASE}${part}`);
      if (existsSync(from))
        copyFileSync(from, join(folder, `${DATABASE}${part}`), constants.COPYFILE_FICLONE);
    }
    const file = openFile(join(folder, DATABASE));
    const close = async () => {
      file.close();
      remove();
    };
    return { archive: archiveOf(dataDir), close, items: (table) => file.items(table) };
  } catch (error) {
    remove();
    throw error;
  }
};

/** Without the folder there is nothing in it. */
const archiveOf = (dataDir: string): ObjectStore => {
  const objects = join(dataDir, 'objects');
  const bucket = existsSync(objects) ? readdirSync(objects).find((name) => ARCHIVE.test(name)) : undefined;
  return new FolderObjects(join(objects, bucket ?? 'archive'), () => 0);
};
