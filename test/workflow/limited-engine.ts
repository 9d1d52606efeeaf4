import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { engineBinary } from '../../infra/local/database/engine.ts';

/** What POSIX counts `ulimit -f` in, bytes. */
const BLOCK_BYTES = 512;
const VARIABLE = 'LABSCAPE_ENGINE';

/**
 * Runs `start` with an engine whose files cannot grow past `bytesMax`, as on a full disk: a limit of the process's own,
 * which needs no rights. The write beyond it fails, since the signal that says so is ignored.
 */
export async function onFullDisk<T>(
  folder: string,
  bytesMax: number,
  start: () => Promise<T>,
  binary = engineBinary(),
): Promise<T> {
  const script = join(folder, `engine-of-${bytesMax}.sh`);
  const lines = [
    '#!/bin/sh',
    "trap '' XFSZ",
    `ulimit -f ${Math.floor(bytesMax / BLOCK_BYTES)}`,
    `exec '${binary}' "$@"`,
  ];
  writeFileSync(script, `${lines.join('\n')}\n`, { mode: 0o755 });
  const before = process.env[VARIABLE];
  process.env[VARIABLE] = script;
  try {
    return await start();
  } finally {
    if (before === undefined) delete process.env[VARIABLE];
    else process.env[VARIABLE] = before;
  }
}

export const bytesOf = (path: string): number => statSync(path).size;
