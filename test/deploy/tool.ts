import { spawn } from 'node:child_process';

/** A tool that did not do its work, with what it said. */
export class ToolFailed extends Error {
  override readonly name = 'ToolFailed';
}

export interface ToolRun {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Runs a tool to its end; what it wrote to standard output. It and its children are stopped at a timeout or abort. */
export function runTool(command: string, args: readonly string[], how: ToolRun): Promise<string> {
  how.signal.throwIfAborted();
  // A group of its own, so that its children can be stopped with it.
  const child = spawn(command, args, {
    ...{ cwd: how.cwd, env: how.env, detached: true },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: string[] = [];
  const said: string[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out.push(text);
    said.push(text);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => said.push(text));
  const limit = AbortSignal.any([how.signal, AbortSignal.timeout(how.timeoutMs)]);
  const stop = () => stopGroup(child.pid, 'SIGKILL');
  limit.addEventListener('abort', stop, { once: true });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      limit.removeEventListener('abort', stop);
      if (code === 0) return resolve(out.join(''));
      const why = limit.aborted ? `was stopped after ${how.timeoutMs} ms at most` : `ended with ${code}`;
      reject(new ToolFailed(`${command} ${args[0] ?? ''} ${why}:\n${said.join('')}`));
    });
  });
}

/** Signals a group that we started; false if it is gone. */
export function stopGroup(pid: number | undefined, signal: NodeJS.Signals): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

/** A long text by its beginning and its end. */
export function shortened(text: string, lines: number): string {
  const all = text.trimEnd().split('\n');
  if (all.length <= 2 * lines) return all.join('\n');
  return [...all.slice(0, lines), `… ${all.length - 2 * lines} more lines …`, ...all.slice(-lines)].join(
    '\n',
  );
}

export const lastLines = (text: string, count: number): string =>
  text.trimEnd().split('\n').slice(-count).join('\n');
