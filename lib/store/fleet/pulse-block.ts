import { MEMORY, type Signal } from '../../health/change.ts';
import type { Pulse } from '../../health/detector.ts';
import { CorruptItem } from '../table/attributes.ts';
import { ByteReader, ByteWriter, LEAST_FIGURE } from './bytes.ts';

/**
 * Pulses of many resources in a few bytes each: they are rewritten with every batch, and each KB is paid for. Sorted by
 * id, so that of an id only what differs from the one before is kept; what a batch has in common (time of receipt,
 * rhythm, lease, epoch) stands once. Figures are as fine as the text form keeps them, or finer: learning from them goes
 * in steps of 1/512 of what a sample is off by, and a coarser mean would never arrive. Pure.
 */
const FORM = 1;

const STATUSES = ['ok', 'degraded', 'failed'] as const;

/** Bits of a pulse's first byte: what is as in the pulse before, its status at STATUS_SHIFT, and whether it has a pace. */
const SAME_TIME = 1;
const SAME_RHYTHM = 2;
const SAME_LEASE = 4;
const SAME_EPOCH = 8;
const STATUS_SHIFT = 4;
const PACED = 64;
const PACE_HEARD = 128;

/** How much there is of a signal; of latency in the lower bits of the second byte, of errors in those above. */
const NONE = 0;
const SETTLED = 1;
const LEARNING = 2;
const RISING = 3;
const FAULTS_SHIFT = 2;
const KIND_MASK = 3;

/** A pace's mean is rounded where it is learnt, see optimisation/pace.ts: it comes back as it went. */
const PACE_DIGITS = 4;
const FACTOR_PARTS = 1_000;

/** What little is left of a sum, or of errors long ago, says nothing. */
const isNothing = (figure: number): boolean => figure < 2 * LEAST_FIGURE;

const kindOf = (signal: Signal | undefined): number => {
  if (signal === undefined) return NONE;
  // Without a sum of late is the mean: see health/change.ts.
  if (!isNothing(signal.sum)) return RISING;
  return signal.count === MEMORY ? SETTLED : LEARNING;
};

/** No errors are what is usual anywhere: as if nothing had ever been said. */
const isUnheard = ({ count, mean, deviation, sum }: Signal): boolean =>
  count === MEMORY && [mean, deviation, sum].every(isNothing);

const faultsKindOf = (faults: Signal | undefined): number =>
  faults === undefined || isUnheard(faults) ? NONE : kindOf(faults);

const writeSignal = (out: ByteWriter, kind: number, signal: Signal | undefined): void => {
  if (kind === NONE || signal === undefined) return;
  out.fine(signal.mean);
  out.fine(signal.deviation);
  if (kind === SETTLED) return;
  out.byte(signal.count);
  if (kind === LEARNING) return;
  out.coarse(signal.recent);
  out.coarse(signal.sum);
};

const readSignal = (from: ByteReader, kind: number): Signal | undefined => {
  if (kind === NONE) return undefined;
  const mean = from.fine();
  const deviation = from.fine();
  const count = kind === SETTLED ? MEMORY : from.byte();
  if (kind !== RISING) return { count, mean, deviation, recent: mean, sum: 0 };
  return { count, mean, deviation, recent: from.coarse(), sum: from.coarse() };
};

/** Times up to the next whole ms: what counts from them may only come out later. */
const wholeMs = (ms: number): number => Math.max(0, Math.ceil(ms));

const sharedLength = (a: string, b: string): number => {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
};

const flagsOf = (pulse: Pulse, before: Pulse | undefined): number =>
  (before?.lastAt === pulse.lastAt ? SAME_TIME : 0) +
  (before?.meanMs === pulse.meanMs && before.deviationMs === pulse.deviationMs ? SAME_RHYTHM : 0) +
  (before?.leaseEndMs === pulse.leaseEndMs ? SAME_LEASE : 0) +
  (before?.epoch === pulse.epoch ? SAME_EPOCH : 0) +
  STATUSES.indexOf(pulse.status) * 2 ** STATUS_SHIFT +
  (pulse.pace === undefined ? 0 : PACED) +
  (pulse.pace?.meanMs === undefined ? 0 : PACE_HEARD);

const writePulse = (out: ByteWriter, pulse: Pulse, before: Pulse | undefined): void => {
  const flags = flagsOf(pulse, before);
  const { latency, faults, pace } = pulse;
  const kinds = [kindOf(latency), faultsKindOf(faults)] as const;
  out.byte(flags);
  out.byte(kinds[0] + kinds[1] * 2 ** FAULTS_SHIFT);
  if ((flags & SAME_TIME) === 0) out.whole(wholeMs(pulse.lastAt));
  if ((flags & SAME_RHYTHM) === 0) {
    out.fine(pulse.meanMs);
    out.fine(pulse.deviationMs);
  }
  if ((flags & SAME_LEASE) === 0) out.whole(wholeMs(pulse.leaseEndMs));
  if ((flags & SAME_EPOCH) === 0) out.whole(pulse.epoch);
  writeSignal(out, kinds[0], latency);
  writeSignal(out, kinds[1], faults);
  if (pace === undefined) return;
  out.whole(Math.round(pace.factor * FACTOR_PARTS));
  if (pace.meanMs !== undefined) out.fine(Number(pace.meanMs.toPrecision(PACE_DIGITS)));
};

const readPace = (from: ByteReader, flags: number): Pulse['pace'] => {
  const factor = from.whole() / FACTOR_PARTS;
  const heard = (flags & PACE_HEARD) !== 0;
  return { meanMs: heard ? Number(from.fine().toPrecision(PACE_DIGITS)) : undefined, factor };
};

const readPulse = (from: ByteReader, before: Pulse | undefined): Pulse => {
  const flags = from.byte();
  const kinds = from.byte();
  const as = <T>(same: number, known: T | undefined, read: () => T): T =>
    (flags & same) === 0 || known === undefined ? read() : known;
  const lastAt = as(SAME_TIME, before?.lastAt, () => from.whole());
  const [meanMs = 0, deviationMs = 0] = as(SAME_RHYTHM, before && [before.meanMs, before.deviationMs], () => [
    from.fine(),
    from.fine(),
  ]);
  const leaseEndMs = as(SAME_LEASE, before?.leaseEndMs, () => from.whole());
  const epoch = as(SAME_EPOCH, before?.epoch, () => from.whole());
  const latency = readSignal(from, kinds & KIND_MASK);
  const faults = readSignal(from, (kinds >> FAULTS_SHIFT) & KIND_MASK);
  return {
    ...{ lastAt, meanMs, deviationMs, epoch, leaseEndMs },
    status: STATUSES[(flags >> STATUS_SHIFT) & KIND_MASK] ?? 'ok',
    ...(latency === undefined ? {} : { latency }),
    ...(faults === undefined ? {} : { faults }),
    ...((flags & PACED) === 0 ? {} : { pace: readPace(from, flags) }),
  };
};

/** Pulses by resource as bytes. */
export const packPulses = (pulses: ReadonlyMap<string, Pulse>): Uint8Array => {
  const out = new ByteWriter();
  out.byte(FORM);
  let before: Pulse | undefined;
  let idBefore = '';
  for (const [id, pulse] of [...pulses].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const shared = sharedLength(idBefore, id);
    out.byte(shared);
    out.text(id.slice(shared));
    writePulse(out, pulse, before);
    before = pulse;
    idBefore = id;
  }
  return out.done();
};

/** Pulses by resource, in order of their ids. Throws CorruptItem where the bytes are no such pulses. */
export const unpackPulses = (bytes: Uint8Array): ReadonlyMap<string, Pulse> => {
  const from = new ByteReader(bytes);
  const form = from.byte();
  if (form !== FORM) throw new CorruptItem(`packed pulses are of form ${form}; this code knows ${FORM}`);
  const pulses = new Map<string, Pulse>();
  let before: Pulse | undefined;
  let id = '';
  while (!from.isAtEnd) {
    id = id.slice(0, from.byte()) + from.text();
    before = readPulse(from, before);
    pulses.set(id, before);
  }
  return pulses;
};
