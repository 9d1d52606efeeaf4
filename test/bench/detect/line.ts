/** In [0, 1). */
export type Random = () => number;

/** How messages of one agent get lost. Times in ms. */
export interface LineKind {
  /** Of all messages, over a long time. */
  readonly lost: number;
  /** Losses come together (Gilbert 1960, Elliott 1963): the line is bad for so long on average, and loses so much then. */
  readonly bursts?: { readonly badMs: number; readonly lostInBad: number; readonly lostInGood: number };
}

export const exponential = (random: Random, mean: number): number => -mean * Math.log(1 - random());

/** One agent's line, both ways: what is lost depends on the time. */
export class Line {
  readonly #random: Random;
  readonly #kind: LineKind;
  readonly #goodMs: number;
  #bad = false;
  #until = 0;

  constructor(random: Random, kind: LineKind) {
    this.#random = random;
    this.#kind = kind;
    const { bursts, lost } = kind;
    if (bursts === undefined) {
      this.#goodMs = 0;
      return;
    }
    const badShare = (lost - bursts.lostInGood) / (bursts.lostInBad - bursts.lostInGood);
    this.#goodMs = (bursts.badMs * (1 - badShare)) / badShare;
    this.#until = exponential(random, this.#goodMs);
  }

  /** `atMs` never decreases. */
  loses(atMs: number): boolean {
    const { bursts, lost } = this.#kind;
    if (bursts === undefined) return this.#random() < lost;
    while (this.#until <= atMs) {
      this.#bad = !this.#bad;
      this.#until += exponential(this.#random, this.#bad ? bursts.badMs : this.#goodMs);
    }
    return this.#random() < (this.#bad ? bursts.lostInBad : bursts.lostInGood);
  }
}
