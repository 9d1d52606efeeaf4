import { styleText } from 'node:util';
import type { CliIo } from './io.ts';

export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type Paint = (colour: Colour, text: string) => string;

const plain: Paint = (_, text) => text;
const coloured: Paint = (colour, text) => styleText(colour, text, { validateStream: false });

/** Colours for terminals only; NO_COLOR and FORCE_COLOR decide otherwise (no-color.org, force-color.org). */
export function paintFor(isTerminal: boolean, environment: CliIo['environment']): Paint {
  if ((environment['NO_COLOR'] ?? '') !== '') return plain;
  const forced = environment['FORCE_COLOR'] ?? '';
  return forced !== '' && forced !== '0' ? coloured : isTerminal ? coloured : plain;
}

const COLOUR_BY_STATUS: Readonly<Record<string, Colour>> = {
  healthy: 'green',
  placed: 'green',
  done: 'green',
  ready: 'green',
  passed: 'green',
  suspect: 'yellow',
  'at-risk': 'yellow',
  pausing: 'yellow',
  asking: 'yellow',
  starting: 'yellow',
  pending: 'yellow',
  running: 'yellow',
  recovering: 'yellow',
  'awaiting-approval': 'yellow',
  degraded: 'yellow',
  drained: 'cyan',
  offline: 'cyan',
  failed: 'red',
  refused: 'red',
  incomplete: 'red',
  'not-ready': 'red',
  parked: 'red',
};

/** A status of anything in its usual colour. */
export function paintStatus(paint: Paint, status: string): string {
  const colour = COLOUR_BY_STATUS[status];
  return colour === undefined ? status : paint(colour, status);
}
