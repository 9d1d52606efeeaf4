import { createHash } from 'node:crypto';
import type { Stream } from './chance.ts';

/** What may go on next. */
interface Choice {
  readonly label: string;
  readonly run: () => Promise<void> | void;
  readonly order: number;
}
interface Timer extends Choice {
  readonly at: number;
}

/** Something that runs by itself until it waits for a choice: an invocation, an execution. */
export class Activity {
  readonly label: string;
  /** Virtual time. */
  readonly beganAt: number;
  /** Choices and timers it waits for. */
  parked = 0;
  done = false;
  /** What it was begun for is done; calls that it left behind go on by themselves. */
  answered = false;
  /** Answered before in the same sandbox: what they left under way may be what this one waits for. */
  before: readonly Activity[] = [];

  constructor(label: string, beganAt: number) {
    this.label = label;
    this.beganAt = beganAt;
  }

  get rests(): boolean {
    return this.done || this.answered || this.parked > 0 || this.before.some(({ parked }) => parked > 0);
  }
}

/** How time passes beside the timers. */
export interface Pace {
  /** Chance at each step that time goes on though something else could have: in an unlucky world all takes long. */
  readonly hurry: number;
  /** What a call of the store takes, ms. */
  readonly callMs: number;
}
const UNLUCKY: Pace = { hurry: 0.02, callMs: 0 };
/** Turns of the event loop in which everything must have come to rest: only our own code runs in between. */
const TURNS_MAX = 2_000;
/** And pauses of a millisecond after them: what is packed for a backup is packed by a thread of its own. */
const PAUSES_MAX = 10_000;
/** Turns in which nothing may move any more: parallel calls of one activity park one after the other. */
const QUIET_TURNS = 2;

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

/**
 * One thing at a time: a seeded choice among all that could go on, or the next timer. Nothing else moves: whatever runs
 * is waited for until it parks again.
 */
export class Scheduler {
  /** Virtual ms since the start. */
  now = 0;
  steps = 0;
  pace = UNLUCKY;
  readonly trace: string[] = [];
  readonly #chance: Stream;
  readonly #activities = new Set<Activity>();
  #ready: Choice[] = [];
  #timers: Timer[] = [];
  #order = 0;

  constructor(chance: Stream) {
    this.#chance = chance;
  }

  /** Waits until it is chosen, then runs `perform`, of which nobody else sees the middle. */
  async park<T>(activity: Activity, label: string, perform: () => Promise<T> | T, delayMs = 0): Promise<T> {
    activity.parked += 1;
    return new Promise<T>((resolve, reject) => {
      const run = async (): Promise<void> => {
        if (activity.done) return;
        try {
          const value = await perform();
          // Killed meanwhile: its code must never go on.
          if (activity.done) return;
          activity.parked -= 1;
          resolve(value);
        } catch (error) {
          activity.parked -= 1;
          reject(error);
        }
      };
      this.#add(label, run, delayMs);
    });
  }

  /** Runs after `delayMs` of virtual time; returns how to call it off. */
  after(delayMs: number, label: string, run: () => Promise<void> | void): () => void {
    let off = false;
    this.#add(label, () => (off ? undefined : run()), delayMs);
    return () => {
      off = true;
    };
  }

  begin(label: string): Activity {
    const activity = new Activity(label, this.now);
    this.#activities.add(activity);
    return activity;
  }

  end(activity: Activity): void {
    activity.done = true;
    this.#activities.delete(activity);
  }

  /** What happened, for the trace and its hash. */
  note(line: string): void {
    this.trace.push(`${Math.round(this.now)} ${line}`);
  }

  hash(): string {
    return createHash('sha256')
      .update(this.trace.map((line) => `${line}\n`).join(''))
      .digest('hex');
  }

  get idle(): boolean {
    return this.#ready.length === 0 && this.#timers.length === 0;
  }

  /** One step; false when nothing is left to do. */
  async step(): Promise<boolean> {
    if (this.idle) return false;
    if (this.#ready.length === 0 || (this.#timers.length > 0 && this.#chance.happens(this.pace.hurry)))
      this.#advance();
    const [choice] = this.#ready.splice(this.#chance.below(this.#ready.length), 1);
    if (choice === undefined) return true;
    this.steps += 1;
    this.note(choice.label);
    await choice.run();
    await this.#settle();
    return true;
  }

  #add(label: string, run: Choice['run'], delayMs: number): void {
    this.#order += 1;
    const choice = { label, run, order: this.#order };
    if (delayMs <= 0) this.#ready.push(choice);
    else this.#timers.push({ ...choice, at: this.now + delayMs });
  }

  /** To the next timer; all that are due become choices. */
  #advance(): void {
    const next = Math.min(...this.#timers.map((timer) => timer.at));
    this.now = Math.max(this.now, next);
    const due = this.#timers.filter((timer) => timer.at <= this.now);
    this.#timers = this.#timers.filter((timer) => timer.at > this.now);
    due.sort((a, b) => a.at - b.at || a.order - b.order);
    this.#ready.push(...due);
  }

  async #settle(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < TURNS_MAX + PAUSES_MAX; turn += 1) {
      await (turn < TURNS_MAX ? nextTurn() : pause());
      quiet = [...this.#activities].every((activity) => activity.rests) ? quiet + 1 : 0;
      if (quiet >= QUIET_TURNS) return;
    }
    const busy = [...this.#activities].filter((activity) => !activity.rests).map(({ label }) => label);
    throw new Error(`never came to rest: ${busy.join(', ')}`);
  }
}
