const DAY_MS = 86_400_000;

/** One for each zone that a policy names: they are dear to make. */
const formats = new Map<string, Intl.DateTimeFormat>();

const formatFor = (zone: string): Intl.DateTimeFormat => {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone: zone, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  formats.set(zone, made);
  return made;
};

/** What clocks in the zone show at an instant, ms after 1970-01-01T00:00 of their own. Whole seconds. */
export const localOf = (zone: string, at: number): number => {
  const shown = new Map(
    formatFor(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (type: Intl.DateTimeFormatPartTypes): number => shown.get(type) ?? 0;
  return Date.UTC(
    ...([part('year'), part('month') - 1, part('day')] as const),
    ...([part('hour'), part('minute'), part('second')] as const),
  );
};

const offsetAt = (zone: string, at: number): number => localOf(zone, at) - Math.floor(at / 1000) * 1000;

/**
 * The instants at which clocks in the zone show `local`, epoch ms: two where it comes twice, the first one first. Of a time
 * that does not exist what it would be by the offset before the gap, and by the one behind it, which is the earlier.
 */
const readingsOf = (zone: string, local: number): readonly [number, ...number[]] => {
  // A day away from it in either direction is on either side of any change that matters to it.
  const before = local - offsetAt(zone, local - DAY_MS);
  const after = local - offsetAt(zone, local + DAY_MS);
  const [isBefore, isAfter] = [localOf(zone, before) === local, localOf(zone, after) === local];
  if (isBefore === isAfter) return [before, after];
  return [isBefore ? before : after];
};

/**
 * When clocks in the zone show `local`, epoch ms. A time that comes twice is its first; one that does not exist is taken
 * by the offset before the gap: 02:30 of a night that jumps from 02:00 to 03:00 is 03:30. As RFC 5545, 3.3.5, has it.
 */
export const instantOf = (zone: string, local: number): number => readingsOf(zone, local)[0];

/** Whether `now` is between two times of the clocks: of those that come twice, or never, by what makes it the longest. */
export const isBetween = (zone: string, from: number, to: number, now: number): boolean =>
  now >= Math.min(...readingsOf(zone, from)) && now < Math.max(...readingsOf(zone, to));
