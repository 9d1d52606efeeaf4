import { randomUUID } from 'node:crypto';
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isGuarded, takeGuard } from '../folder-guard.ts';

/** Assemblies kept besides those that hosts run on: the sources may be set back. */
const KEPT = 4;
const MARK = 'used-by-';

/** Not of the assembly: these come and go with the hosts that run on it. */
export const isMark = (name: string): boolean => name.startsWith(MARK);

/** Marks the assembly as one that this process runs on: functions are loaded from it when they are first called. */
export function useAssembly(dir: string): () => void {
  const mark = join(dir, `${MARK}${randomUUID()}`);
  try {
    const release = takeGuard(mark);
    return () => {
      release?.();
      rmSync(mark, { force: true });
    };
  } catch {
    // Who may not write there is not the one who builds and prunes there either.
    return () => {};
  }
}

/** Removes all but the newest assemblies and those in use. */
export function pruneAssemblies(cache: string): void {
  const byAge = readdirSync(cache)
    .map((name) => ({ path: join(cache, name), at: statSync(join(cache, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of byAge.slice(KEPT)) if (!isUsed(path)) rmSync(path, { recursive: true, force: true });
}

const isUsed = (dir: string): boolean =>
  readdirSync(dir).some((name) => isMark(name) && isGuarded(join(dir, name)) !== false);
