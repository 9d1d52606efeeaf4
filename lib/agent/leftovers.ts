import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { signalGroup } from './hook.ts';

/**
 * Remembers the processes that a runner creates, so that the next agent can end those its dead predecessor left
 * behind and that did not heed the end of their standard input. A process id alone proves nothing, since ids are
 * reused: the kernel's start time must agree too. Only Linux tells it; elsewhere nothing is remembered.
 */
export interface Remembered {
  readonly pid: number;
  readonly startTicks: string;
}

/** Field 22 of /proc/PID/stat, counted after the command's closing parenthesis, as the command may hold anything. */
export function startTicksOf(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[19];
}

const statOf = (pid: number): string | undefined => {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
};

function startTicks(pid: number): string | undefined {
  const stat = statOf(pid);
  return stat === undefined ? undefined : startTicksOf(stat);
}

/** One that has ended may still be listed, for as long as its parent has not asked how. */
const hasEnded = (stat: string): boolean => /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));

/** A line that was cut short is passed over. */
export function parseRemembered(text: string): Remembered[] {
  return text.split('\n').flatMap((line) => {
    const match = /^(\d+) (\d+)$/.exec(line);
    return match?.[1] && match[2] ? [{ pid: Number(match[1]), startTicks: match[2] }] : [];
  });
}

/** Its predecessor still runs: two agents of one resource would end each other's work, and both start all of it. */
export class KeptError extends Error {
  override readonly name = 'KeptError';
}

/** The first line names the agent that keeps the file. */
const KEPT_BY = /^agent (\d+) (\d+)$/m;

/** Another agent that keeps the file and runs. */
function otherAgent(text: string): number | undefined {
  const [, of = '', then] = KEPT_BY.exec(text) ?? [];
  const pid = Number(of);
  const stat = statOf(pid);
  if (of === '' || pid === process.pid || stat === undefined || hasEnded(stat)) return undefined;
  return startTicksOf(stat) === then ? pid : undefined;
}

/** Ends what is left of a predecessor and forgets it; returns how many groups were ended. Throws KeptError. */
export function endLeftovers(stateFile: string): number {
  let text: string;
  try {
    text = readFileSync(stateFile, 'utf8');
  } catch {
    text = '';
  }
  const other = otherAgent(text);
  if (other !== undefined)
    throw new KeptError(`${stateFile} is kept by another agent that runs, process ${other}`);
  const left = parseRemembered(text).filter(({ pid, startTicks: then }) => startTicks(pid) === then);
  const ended = left.filter(({ pid }) => signalGroup(pid, 'SIGKILL')).length;
  mkdirSync(path.dirname(stateFile), { recursive: true });
  const own = startTicks(process.pid);
  writeFileSync(stateFile, own === undefined ? '' : `agent ${process.pid} ${own}\n`);
  return ended;
}

/** A process that is gone already is not: its number may be another's by now. */
export function remember(stateFile: string, pid: number): void {
  const ticks = startTicks(pid);
  if (ticks !== undefined) appendFileSync(stateFile, `${pid} ${ticks}\n`);
}
