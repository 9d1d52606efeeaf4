import type { Recovery } from '../../schemas/recovery.ts';
import { fleetParts } from '../commands/status.ts';
import { ago, counted, duration, instant } from '../format.ts';
import { type Paint, paintStatus } from '../paint.ts';
import type { Picture } from './picture.ts';

/** Phases that are shown of a recovery: the latest. */
const PHASES_SHOWN = 6;

/** Recoveries that are over and still shown, by a line each: the newest. */
const OLD_SHOWN = 5;

function recoveryLine(recovery: Recovery, nowMs: number, paint: Paint): string {
  const { id, status, startedAt, endedAt, phases, nextPhase } = recovery;
  const done = phases.slice(-PHASES_SHOWN).map(({ name, ms, waitedMs }) => {
    const waited = waitedMs > 0 ? ` + ${duration(waitedMs)} waited` : '';
    return `${name} ${duration(ms)}${waited}`;
  });
  const next = endedAt !== undefined || nextPhase === undefined ? [] : [paint('yellow', `${nextPhase} …`)];
  const more = phases.length > PHASES_SHOWN ? ['…'] : [];
  const head = `${id}  ${paintStatus(paint, status)}  ${ago(startedAt, nowMs)}`;
  return `${head}\n  ${[...more, ...done, ...next].join(' → ')}`;
}

/** The whole fleet at a glance: verdicts, loads as shares of the limits, and each running recovery by its phases. */
export function frameLines(
  { fleet, recoveries }: Picture,
  trouble: string | undefined,
  paint: Paint,
): string[] {
  const told = [
    ...recoveries.map((one) => recoveryLine(one, fleet.at, paint)),
    ...fleet.recoveries
      .filter(({ id }) => !recoveries.some((known) => known.id === id))
      .slice(0, OLD_SHOWN)
      .map(
        ({ id, status, startedAt }) => `${id}  ${paintStatus(paint, status)}  ${ago(startedAt, fleet.at)}`,
      ),
  ];
  const parts = [
    `${instant(fleet.at)}${trouble === undefined ? '' : `  ${paint('red', trouble)}`}`,
    ...fleetParts(fleet, paint),
    ...(told.length === 0 ? [] : [`${paint('bold', 'Recoveries')}\n${told.join('\n')}`]),
  ];
  return parts.join('\n\n').split('\n');
}

const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
export const CLEAR_ALL = '\u001b[2J';

/** The frame drawn over the one before, cut to what the terminal shows: a longer one would scroll. */
export function drawn(lines: readonly string[], rows: number): string {
  const room = Math.max(1, rows - 1);
  const shown =
    lines.length <= room
      ? lines
      : [...lines.slice(0, room - 1), `… ${counted(lines.length - room + 1, 'more line')}`];
  return `${HOME}${shown.map((line) => `${line}${CLEAR_LINE}\n`).join('')}${CLEAR_BELOW}`;
}
