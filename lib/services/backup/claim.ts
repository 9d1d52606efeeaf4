import { claimBackups, moveClaim } from '../../store/backup/runs.ts';
import { StoreUnavailable, Throttled } from '../../store/table/errors.ts';
import type { BackupDeps } from './take.ts';

/**
 * How long a claim holds without a word of its holder, ms: one that died keeps nobody from backups for longer. No step
 * between two words takes so long: the longest, an object that S3 does not take, is given up after a minute.
 */
export const CLAIM_MS = 180_000;
/** Its holder says so often that it is still at it, ms. */
const WORD_EVERY_MS = 45_000;

/** Its holder said nothing for too long, and somebody else is at it: what it does would be done twice. */
export class ClaimLost extends Error {
  override readonly name = 'ClaimLost';
}

/** One at a time takes backups: a claim that lasts as long as its holder works. */
export class Claim {
  readonly #deps: BackupDeps;
  readonly #holder: string;
  #until: number;
  #word: Promise<void> | undefined;

  private constructor(deps: BackupDeps, holder: string, until: number) {
    this.#deps = deps;
    this.#holder = holder;
    this.#until = until;
  }

  /** Undefined while somebody else has it. */
  static async take(deps: BackupDeps): Promise<Claim | undefined> {
    const now = deps.clock.now();
    const [holder, until] = [deps.chance.id(), now + CLAIM_MS];
    return (await claimBackups(deps.store, holder, now, until)) ? new Claim(deps, holder, until) : undefined;
  }

  /** Gives it back, if somebody else has not got it by now. Raises StoreUnavailable, Throttled. */
  async release(): Promise<void> {
    await moveClaim(this.#deps.store, this.#holder, 0);
  }

  /** The same, each step of whose work is a word. */
  get deps(): BackupDeps {
    const { objects, scan } = this.#deps;
    const say = () => this.#say();
    return {
      ...this.#deps,
      objects: {
        put: async (...given) => {
          await say();
          await objects.put(...given);
        },
        get: async (key) => {
          await say();
          return objects.get(key);
        },
        list: async (...given) => {
          await say();
          return objects.list(...given);
        },
        remove: async (key) => {
          await say();
          await objects.remove(key);
        },
      },
      scan: async function* (table) {
        for await (const page of scan(table)) {
          await say();
          yield page;
        }
      },
    };
  }

  /** Raises ClaimLost. */
  async #say(): Promise<void> {
    if (this.#deps.clock.now() < this.#until - CLAIM_MS + WORD_EVERY_MS) return;
    this.#word ??= this.#extend().finally(() => {
      this.#word = undefined;
    });
    await this.#word;
  }

  async #extend(): Promise<void> {
    const until = this.#deps.clock.now() + CLAIM_MS;
    try {
      if (!(await moveClaim(this.#deps.store, this.#holder, until)))
        throw new ClaimLost('somebody else takes backups since this run said nothing for too long');
      this.#until = until;
    } catch (error) {
      // There is time for more words.
      if (!(error instanceof Throttled || error instanceof StoreUnavailable)) throw error;
    }
  }
}
