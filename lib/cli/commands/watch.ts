import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { ApiProblem, ApiUnreachable } from '../../client/api-error.ts';
import { type Context, defineCommand, EXIT, flag } from '../command.ts';
import { instant } from '../format.ts';
import { changesBetween, type Seen } from '../watch/changes.ts';
import { CLEAR_ALL, drawn, frameLines } from '../watch/frame.ts';
import { type Picture, takePicture } from '../watch/picture.ts';

const EVERY_MS = 1_000;
const EVERY_MS_MIN = 200;
/** Of a terminal that does not say. */
const ROWS = 24;

/** What may pass: an outage is when one watches most closely. */
const passes = (error: unknown): boolean =>
  error instanceof ApiUnreachable ||
  (error instanceof ApiProblem && (error.status >= 500 || error.status === 429));

const lineOf = ({ at, kind, id, from, to, why }: Seen): string => {
  const became = from === undefined ? to : `${from} → ${to}`;
  return `${instant(at)} ${kind} ${id} ${became}${why === undefined ? '' : `: ${why}`}`;
};

function show(context: Context, before: Picture | undefined, now: Picture): void {
  const { io, json, paint } = context;
  if (io.outIsTerminal && !json) {
    const rows = io.outRows?.() ?? ROWS;
    io.out(`${before === undefined ? CLEAR_ALL : ''}${drawn(frameLines(now, undefined, paint), rows)}`);
    return;
  }
  for (const seen of changesBetween(before, now)) io.out(`${json ? JSON.stringify(seen) : lineOf(seen)}\n`);
}

/** The last picture stays, with a word on why it is old; where lines are written, nothing is news. */
function showTrouble(context: Context, last: Picture, error: unknown): void {
  const { io, json, paint } = context;
  const trouble = `old: ${error instanceof Error ? error.message : String(error)}`;
  if (io.outIsTerminal && !json) io.out(drawn(frameLines(last, trouble, paint), io.outRows?.() ?? ROWS));
  else io.err(`${trouble}\n`);
}

export const watch = defineCommand({
  name: 'watch',
  usage: '[--every 1s]',
  summary: 'the fleet, live: verdicts, loads, recoveries with their phases; --json writes a line per change',
  flags: z.strictObject({ every: flag.span.optional() }),
  run: async (context, { flags: { every = EVERY_MS } }) => {
    const { client, io } = context;
    let last: Picture | undefined;
    while (!io.interrupted.aborted) {
      try {
        const now: Picture = await takePicture(client, last);
        show(context, last, now);
        last = now;
      } catch (error) {
        if (last === undefined || !passes(error)) throw error;
        showTrouble(context, last, error);
      }
      const pause = Math.max(EVERY_MS_MIN, every);
      await sleep(pause, undefined, { signal: io.interrupted }).catch(() => undefined);
    }
    return EXIT.done;
  },
});
