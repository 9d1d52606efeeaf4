import * as z from 'zod';
import { cloudEventsOf } from '../../protocol/cloud-events.ts';
import type { CloudEvent } from '../../schemas/cloud-event.ts';
import { decodeEvent, eventsOfDayBetween, timeSortKey } from '../../store/events.ts';
import { dayOf, timeKey } from '../../store/keys.ts';
import type { Runtime } from '../runtime.ts';

const DAY_MS = 86_400_000;
/** Clocks of functions differ, and an index is behind: what is younger may still get an elder neighbour, ms. */
const FEED_LAG_MS = 5_000;
/** What is older is not followed any more, but listed; and one request looks through so many days at most. */
const FOLLOWED_MS = 366 * DAY_MS;

/** The event that was given last, by its place in time. */
export const FeedPosition = z.strictObject({ at: z.int().min(0), key: z.string().max(200) });
export type FeedPosition = z.infer<typeof FeedPosition>;

/** Begins behind everything that was before `fromMs`. */
export const feedFrom = (fromMs: number): FeedPosition => ({ at: fromMs, key: timeKey(fromMs) });

/**
 * What was audited after `after`, in order of time, some seconds late, so that nothing comes in before what was given. The
 * CloudEvents of one change come together. Nothing new: no events, and the same position goes on. What is older than a
 * year is left out.
 */
export const eventFeed = async (
  runtime: Runtime,
  after: FeedPosition,
  limit: number,
  cursorOf: (position: FeedPosition) => string,
): Promise<readonly CloudEvent[]> => {
  const now = runtime.clock.now();
  const untilMs = now - FEED_LAG_MS;
  const begin = after.at < now - FOLLOWED_MS ? feedFrom(now - FOLLOWED_MS) : after;
  const given: CloudEvent[] = [];
  let left = limit;
  let key = `${begin.key}!`;
  for (let day = Date.parse(dayOf(begin.at)); day <= untilMs && left > 0; day += DAY_MS) {
    const page = await eventsOfDayBetween(runtime.store, dayOf(day), key, `${timeKey(untilMs)}~`, left);
    const events = page.items.map(decodeEvent);
    for (const event of events)
      given.push(...cloudEventsOf(event, cursorOf({ at: event.at, key: timeSortKey(event) })));
    left -= events.length;
    key = timeKey(day + DAY_MS);
    // Cut short by its size or the limit: the rest of the day comes first.
    if (page.next !== undefined) break;
  }
  return given;
};
