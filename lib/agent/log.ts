import type { Clock } from '../clock.ts';

export type Level = 'info' | 'warn' | 'error';
export type Log = (level: Level, message: string, fields?: Readonly<Record<string, unknown>>) => void;

/** One JSON object a line, so that any collector of the host can read it. */
export function jsonLog(write: (line: string) => void, clock: Clock, agent: string): Log {
  return (level, message, fields) => {
    write(`${JSON.stringify({ at: clock.now(), level, agent, message, ...fields })}\n`);
  };
}

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const WHY_UNREAD: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'it may not be read',
};

/** Why a file could not be read. */
export const whyUnread = (error: unknown): string =>
  (typeof error === 'object' && error !== null && 'code' in error && WHY_UNREAD[String(error.code)]) ||
  reasonOf(error);
