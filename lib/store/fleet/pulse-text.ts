import { MEMORY, type Signal } from '../../health/change.ts';
import type { Pulse } from '../../health/detector.ts';

/** Digits that are enough to learn on in small steps, and to compare. */
const LEARNT_DIGITS = 5;
const SEEN_DIGITS = 3;
const short = (figure: number, digits: number): string => String(Number(figure.toPrecision(digits)));

const packSignal = (signal: Signal | undefined): string => {
  if (signal === undefined) return '';
  const { count, mean, deviation, recent, sum } = signal;
  const learnt = [mean, deviation].map((figure) => short(figure, LEARNT_DIGITS));
  if (sum === 0 && count === MEMORY) return learnt.join(',');
  const seen = [recent, sum].map((figure) => short(figure, SEEN_DIGITS));
  return [...learnt, ...seen, ...(count === MEMORY ? [] : [count])].join(',');
};

const unpackSignal = (text: string): Signal | undefined => {
  if (text === '') return undefined;
  const [mean = 0, deviation = 0, recent = mean, sum = 0, count = MEMORY] = text.split(',').map(Number);
  return { count, mean, deviation, recent, sum };
};

/** What is as if nothing had ever been said is not kept. */
const NO_ERRORS = packSignal({ count: MEMORY, mean: 0, deviation: 0, recent: 0, sum: 0 });

/**
 * A pulse as one short string: it is rewritten with every beat, and each KB of a labscape's is paid for. What came later
 * stands last, since older readers pass it over; the two empty fields were the agent and its number.
 */
export const packPulse = (pulse: Pulse): string => {
  const faults = packSignal(pulse.faults);
  return [
    pulse.lastAt,
    short(pulse.meanMs, LEARNT_DIGITS),
    short(pulse.deviationMs, LEARNT_DIGITS - 1),
    ...['', ''],
    pulse.status,
    pulse.epoch,
    pulse.leaseEndMs,
    packSignal(pulse.latency),
    faults === NO_ERRORS ? '' : faults,
    ...(pulse.pace === undefined ? [] : [pulse.pace.meanMs ?? '', Math.round(pulse.pace.factor * 1_000)]),
  ]
    .join('|')
    .replace(/\|+$/, '');
};

/** A pulse of a heartbeat item of version 1, as `packPulse` wrote it. */
export const unpackPulse = (text: string): Pulse => {
  const fields = text.split('|');
  const [lastAt, meanMs, deviationMs, , , status, epoch, leaseEndMs] = fields;
  const latency = unpackSignal(fields[8] ?? '');
  const faults = unpackSignal(fields[9] ?? '');
  const [paceMs, thousandths] = fields.slice(10);
  return {
    lastAt: Number(lastAt),
    meanMs: Number(meanMs),
    deviationMs: Number(deviationMs),
    status: status === 'failed' || status === 'degraded' ? status : 'ok',
    epoch: Number(epoch),
    leaseEndMs: Number(leaseEndMs),
    ...(latency === undefined ? {} : { latency }),
    ...(faults === undefined ? {} : { faults }),
    ...(thousandths === undefined
      ? {}
      : {
          pace: {
            meanMs: paceMs === '' ? undefined : Number(paceMs),
            factor: Number(thousandths) / 1_000,
          },
        }),
  };
};
