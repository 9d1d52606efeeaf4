import * as z from 'zod';

/**
 * What a terminal or a log acts on instead of showing it: control characters, line ends, changes of direction. Whoever
 * reads what others wrote would see something else than what was written. In a form that any reader of the API's
 * document knows, hence no `\p{Cc}`.
 */
const ACTING = '\\u0000-\\u001f\\u007f-\\u009f\\u2028-\\u202e\\u2066-\\u2069';
const LINE = new RegExp(`^[^${ACTING}]*$`);

const ACTS = new RegExp(`[${ACTING}]+`, 'g');

/** Text of a machine as one line that is safe to show: what acts becomes a space. */
export const shown = (text: string): string => text.replace(ACTS, ' ').trim();

/** At most so many characters of a machine's text. What is left of half a character no JSON body may carry. */
export const cut = (text: string, max: number): string => text.slice(0, max).toWellFormed();

/** Text of a person on one line, at most so many characters. */
export const Line = (max: number) =>
  z.string().trim().min(1).max(max).regex(LINE, 'must be one line without control characters');
