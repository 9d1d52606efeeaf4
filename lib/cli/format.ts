import type * as z from 'zod';
import { DIMENSIONS, type Vector } from '../schemas/common.ts';
import { DEVICE_MILLI, type DeviceDemand, type DeviceState } from '../schemas/devices.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Milliseconds as people read them, two units at most: `0.4 ms`, `37 ms`, `2.3 s`, `4 min 5 s`, `3 h 2 min`, `9 d 1 h`. */
export function duration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < SECOND_MS) return `${Math.round(ms)} ms`;
  if (ms < MINUTE_MS) return `${(ms / SECOND_MS).toFixed(1)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min ${Math.floor((ms % MINUTE_MS) / SECOND_MS)} s`;
  if (ms < DAY_MS) return `${Math.floor(ms / HOUR_MS)} h ${Math.floor((ms % HOUR_MS) / MINUTE_MS)} min`;
  return `${Math.floor(ms / DAY_MS)} d ${Math.floor((ms % DAY_MS) / HOUR_MS)} h`;
}

/** `3.1 s ago`; what is said to be ahead by a clock that differs a little is now. */
export function ago(thenMs: number | undefined, nowMs: number): string {
  return thenMs === undefined ? 'never' : `${duration(Math.max(0, nowMs - thenMs))} ago`;
}

/** `1 group`, `2 groups`, `0 groups`: a count and its word. `many` where it is not just an s more. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

export function instant(ms: number): string {
  return new Date(ms).toISOString();
}

const UNITS: Readonly<Record<(typeof DIMENSIONS)[number], string>> = {
  processing: 'mvCPU',
  memory: 'MiB',
  storage: 'GiB',
  network: 'Mbit/s',
};

/** Only the dimensions that are asked for: `500 mvCPU, 1024 MiB`. */
export function demand(vector: Vector): string {
  const asked = DIMENSIONS.filter((dimension) => vector[dimension] > 0);
  return asked.map((dimension) => `${vector[dimension]} ${UNITS[dimension]}`).join(', ');
}

/** `2 × 500/1000 h100`; nothing where no devices are asked for. */
export function deviceDemand(asked: z.output<typeof DeviceDemand> | undefined): string {
  if (asked === undefined) return '';
  const { count, milli, models = ['device'] } = asked;
  return `${count} × ${milli === DEVICE_MILLI ? '' : `${milli}/${DEVICE_MILLI} `}${models.join('|')}`;
}

/** `4 h100: 1500/4000`: how many there are, and what is taken of all. */
export function deviceState(devices: z.output<typeof DeviceState> | undefined): string {
  if (devices === undefined) return '-';
  const taken = devices.used.reduce((total, used) => total + used, 0);
  return `${devices.count} ${devices.model}: ${taken}/${devices.count * DEVICE_MILLI}`;
}

/** Share of a limit; of none there is none. */
export function percent(part: number, whole: number): string {
  return whole <= 0 ? '-' : `${Math.round((part / whole) * 100)} %`;
}

const SPAN_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: SECOND_MS,
  m: MINUTE_MS,
  min: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
};

/** Reads `90s`, `15m`, `2h`, `7d`; a bare number is ms. undefined: it is none of these. */
export function parseSpan(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s*(ms|s|m|min|h|d)?$/.exec(text);
  const unit = SPAN_UNITS[match?.[2] ?? 'ms'];
  return match?.[1] === undefined || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}
