import { closeSync, existsSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/**
 * A lock that the system takes back when its holder ends, however that ends: SQLite's own, on a file that stays empty.
 * Numbers of processes tell less: after a crash or a boot one belongs to another program, and a host in another container
 * has one that is nobody's here. Returns how to give it back; undefined while somebody else has it.
 */
export function takeGuard(file: string): (() => void) | undefined {
  // Only if it is not there: to close a file gives up whatever this process has locked of it.
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
  const guard = new DatabaseSync(file);
  try {
    guard.exec('BEGIN EXCLUSIVE');
    return () => guard.close();
  } catch (error) {
    guard.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
}

/** Whether somebody has it; who may not even open it cannot tell, and is told undefined. */
export function isGuarded(file: string): boolean | undefined {
  if (!existsSync(file)) return false;
  try {
    const release = takeGuard(file);
    release?.();
    return release === undefined;
  } catch {
    return undefined;
  }
}

const SQLITE_BUSY = 5;
const isBusy = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'errcode' in error && error.errcode === SQLITE_BUSY;
