import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type CounterLine, parseCounterLine } from '../sample/counter-file.ts';
import type { CounterLog } from './check-counters.ts';

/** A counter that wrote much has a file before the present one; see sample/counter-file.ts. */
const FILES = ['.jsonl.1', '.jsonl'];

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Reads what the counters of a tenant wrote; one that wrote nothing has no lines. */
export function readCounters(workDir: string, tenant: string, ids: Iterable<string>): CounterLog {
  const log = new Map<string, CounterLine[]>();
  for (const id of ids) {
    const text = FILES.map((ending) => textOf(path.join(workDir, tenant, `${id}${ending}`))).join('');
    const lines = text.split('\n').flatMap((line) => parseCounterLine(line) ?? []);
    log.set(id, lines);
  }
  return log;
}
