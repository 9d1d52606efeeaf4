import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ApiProblem } from '../../lib/client/api-error.ts';

/** Something is not as it must be. */
export class CheckFailed extends Error {
  override readonly name = 'CheckFailed';
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'undefined').slice(0, 400);

export function equal(what: string, actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected))
    throw new CheckFailed(`${what} is ${shown(actual)}, not ${shown(expected)}`);
}

export function must(what: string, holds: boolean): asserts holds {
  if (!holds) throw new CheckFailed(what);
}

/** The status of a refusal; fails when the call succeeds. */
export async function refusedWith(call: Promise<unknown>): Promise<number> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ApiProblem) return error.status;
    throw error;
  }
  throw new CheckFailed('was not refused');
}

const POLL_MS = 200;

/** Asks until there is an answer; `what` is awaited, which may be said differently when it did not come. */
export async function until<T>(
  what: string | (() => string),
  patienceMs: number,
  signal: AbortSignal,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > deadline) {
      const words = typeof what === 'string' ? what : what();
      throw new CheckFailed(`within ${patienceMs} ms there was no ${words}`);
    }
    await sleep(POLL_MS, undefined, { signal });
  }
}

export async function collect<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}
