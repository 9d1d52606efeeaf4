import { setTimeout as sleep } from 'node:timers/promises';
import type * as z from 'zod';
import type { Client } from '../client/client.ts';
import { jitteredMs, RETRY_NEVER } from '../client/retry.ts';
import type { Chance, Clock } from '../clock.ts';
import type { Assignments } from '../schemas/assignment.ts';
import { heldAgainMs } from './held-start.ts';
import { type Log, reasonOf } from './log.ts';
import { type Desired, type DueWork, keyOf } from './work.ts';

type Page = z.output<typeof Assignments>;

export interface Fetched {
  readonly status: Page['status'];
  readonly desired: Desired;
}

export interface FeedDeps {
  readonly client: Client;
  readonly resource: string;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  /** 0: no long polls. */
  readonly longPollS: number;
  /** false: it is older than what is known otherwise, and asked for again soon. */
  readonly deliver: (fetched: Fetched) => boolean;
}

/** After a failure; a resource without assignments runs nothing, hence the low cap. */
const BACKOFF = { baseMs: 50, capMs: 2_000 };
/** An index that lagged has caught up after a moment. */
const INCOMPLETE_AGAIN_MS = 200;
/**
 * Pause after an answer. It doubles while one change chases the other, since each costs the whole list, and is short
 * again after a calm: what changes rarely is heard of at once.
 */
const GAP_MS_MIN = 50;
const GAP_MS_MAX = 1_000;
const CALM_MS = 2_000;
/** Beyond what the server may wait. */
const POLL_SLACK_MS = 5_000;
const FETCH_TIMEOUT_MS = 10_000;
/** 48 groups of work come in far fewer pages; more means that the pages never end. */
const PAGES_MAX = 1_000;

/**
 * Keeps asking what one resource shall run while it is open: all of it after `refresh`, then by long polls. One
 * request at a time, so answers cannot overtake each other.
 */
export class AssignmentFeed {
  readonly #deps: FeedDeps;
  #session: AbortController | undefined;
  #poll: AbortController | undefined;
  #wake: (() => void) | undefined;
  #stale = true;
  /** When each start that was delivered last is due. */
  #dueMs: readonly number[] = [];

  constructor(deps: FeedDeps) {
    this.#deps = deps;
  }

  get isOpen(): boolean {
    return this.#session !== undefined;
  }

  /** Starts with everything: what was known before is forgotten. */
  open(): void {
    if (this.#session !== undefined) return;
    this.#session = new AbortController();
    this.#stale = true;
    void this.#run(this.#session.signal);
  }

  /** Nothing is delivered any more, also not what is on its way. */
  close(): void {
    this.#session?.abort();
    this.#session = undefined;
    this.#poll?.abort();
    this.#wake?.();
  }

  /** What is known may be old: asks for everything now. */
  refresh(): void {
    this.#stale = true;
    this.#poll?.abort();
    this.#wake?.();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, log, resource } = this.#deps;
    let revision = 0;
    let failures = 0;
    let gapMs = GAP_MS_MIN;
    let changedMs = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      try {
        const fetched = this.#stale ? await this.#fetchAll(signal) : await this.#longPoll(revision, signal);
        if (signal.aborted) return;
        failures = 0;
        if (fetched !== undefined) {
          const taken = this.#deps.deliver(fetched);
          if (taken) revision = fetched.desired.revision;
          this.#dueMs = [...fetched.desired.items.values()].map(({ dueMs }) => dueMs);
          if (!taken || !fetched.desired.complete) await this.#againSoon(signal);
        }
        const nowMs = clock.monotonicMs();
        gapMs = nowMs - changedMs < CALM_MS ? Math.min(GAP_MS_MAX, gapMs * 2) : GAP_MS_MIN;
        if (fetched !== undefined) changedMs = nowMs;
        await pause(gapMs, signal);
      } catch (error) {
        if (signal.aborted) return;
        log('warn', 'could not fetch assignments', { resource, reason: reasonOf(error) });
        this.#stale = true;
        await pause(jitteredMs(BACKOFF, failures, this.#deps.chance), signal);
        failures += 1;
      }
    }
  }

  async #againSoon(signal: AbortSignal): Promise<void> {
    await pause(INCOMPLETE_AGAIN_MS, signal);
    this.#stale = true;
  }

  /** Everything, page by page. Pages of different revisions do not fit together and are fetched again. */
  async #fetchAll(signal: AbortSignal): Promise<Fetched> {
    this.#stale = false;
    const first = await this.#page({}, signal);
    return this.#rest(first, signal);
  }

  async #longPoll(after: number, signal: AbortSignal): Promise<Fetched | undefined> {
    if (this.#deps.longPollS === 0) {
      await this.#wokenOrHeld();
      return undefined;
    }
    const poll = new AbortController();
    this.#poll = poll;
    try {
      const first = await this.#deps.client.call(
        'getAssignments',
        { params: { resource: this.#deps.resource }, query: { after, wait: this.#deps.longPollS } },
        {
          signal: poll.signal,
          timeoutMs: this.#deps.longPollS * 1000 + POLL_SLACK_MS,
          retry: RETRY_NEVER,
        },
      );
      return first === null ? undefined : await this.#rest(first, signal);
    } catch (error) {
      // Given up for a refresh: no failure.
      if (poll.signal.aborted) return undefined;
      throw error;
    }
  }

  /** Until a refresh, or until what is held back is asked for again. */
  async #wokenOrHeld(): Promise<void> {
    const againMs = heldAgainMs(this.#dueMs, this.#deps.clock.monotonicMs());
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (againMs === undefined) return;
      timer = setTimeout(() => {
        this.#stale = true;
        resolve();
      }, againMs);
    });
    clearTimeout(timer);
  }

  async #rest(first: Page, signal: AbortSignal): Promise<Fetched> {
    const items = new Map<string, DueWork>();
    let page = first;
    let complete = first.complete;
    for (let pages = 1; ; pages += 1) {
      this.#collect(page, items);
      if (page.next === undefined) break;
      if (pages >= PAGES_MAX) throw new Error(`assignments have more than ${PAGES_MAX} pages`);
      page = await this.#page({ cursor: page.next }, signal);
      const sameList = page.epoch === first.epoch && page.revision === first.revision;
      complete = complete && page.complete && sameList;
    }
    const { epoch, revision, status } = first;
    return { status, desired: { epoch, revision, complete, items } };
  }

  /** The wait before a start is counted from receipt: later than the sender meant, never earlier. */
  #collect(page: Page, items: Map<string, DueWork>): void {
    const receivedMs = this.#deps.clock.monotonicMs();
    for (const { startInMs, ...work } of page.items) {
      const key = keyOf(work);
      const known = items.get(key);
      // Listed twice because it moved between two pages: the newer owner's word counts.
      if (known !== undefined && known.work.groupEpoch >= work.groupEpoch) continue;
      items.set(key, { work, dueMs: receivedMs + Math.max(0, startInMs) });
    }
  }

  async #page(query: { cursor?: string }, signal: AbortSignal): Promise<Page> {
    const { client, resource } = this.#deps;
    const options = { signal, timeoutMs: FETCH_TIMEOUT_MS, retry: RETRY_NEVER };
    const page = await client.call('getAssignments', { params: { resource }, query }, options);
    if (page === null) throw new Error('the API answered nothing to a question without a condition');
    return page;
  }
}

/** Ends early, without an error, when the signal does. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
