/** Hears how far a drill is. */
export interface Progress {
  /** A new stage begins; what came before is over. */
  stage(title: string): void;
  /** How much of the stage is done. */
  count(done: number, of: number): void;
  end(): void;
}

export const SILENT: Progress = { stage: () => {}, count: () => {}, end: () => {} };

/** What is needed of standard error. */
export interface ProgressOut {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const FRAME_MS = 100;
const CLEAR_LINE = '\r\u001b[K';

/** On a terminal one line that moves; elsewhere a line per stage, as logs want it. */
export function progressOn(out: ProgressOut): Progress {
  return out.isTTY === true ? new Spinner(out) : new Lines(out);
}

interface Stage {
  readonly title: string;
  readonly startedMs: number;
  done: number;
  of: number;
}

const seconds = (stage: Stage): string => `${((performance.now() - stage.startedMs) / 1000).toFixed(1)} s`;

class Lines implements Progress {
  readonly #out: ProgressOut;
  #stage: Stage | undefined;

  constructor(out: ProgressOut) {
    this.#out = out;
  }

  stage(title: string): void {
    this.end();
    this.#stage = { title, startedMs: performance.now(), done: 0, of: 0 };
  }

  count(): void {}

  end(): void {
    if (this.#stage !== undefined) this.#out.write(`${this.#stage.title}: ${seconds(this.#stage)}\n`);
    this.#stage = undefined;
  }
}

class Spinner implements Progress {
  readonly #out: ProgressOut;
  #stage: Stage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;

  constructor(out: ProgressOut) {
    this.#out = out;
  }

  stage(title: string): void {
    this.end();
    this.#stage = { title, startedMs: performance.now(), done: 0, of: 0 };
    this.#timer = setInterval(() => this.#draw(), FRAME_MS).unref();
    this.#draw();
  }

  count(done: number, of: number): void {
    if (this.#stage !== undefined) Object.assign(this.#stage, { done, of });
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#stage !== undefined) {
      this.#out.write(`${CLEAR_LINE}✓ ${this.#stage.title}  ${seconds(this.#stage)}\n`);
    }
    this.#stage = undefined;
  }

  #draw(): void {
    if (this.#stage === undefined) return;
    const { title, done, of } = this.#stage;
    this.#frame += 1;
    const percent = of === 0 ? '' : `  ${String(Math.floor((100 * done) / of)).padStart(3)} %`;
    const frame = FRAMES[this.#frame % FRAMES.length] ?? '';
    this.#out.write(`${CLEAR_LINE}${frame} ${title}${percent}  ${seconds(this.#stage)}`);
  }
}
