import type { Clock } from '../../clock.ts';
import { ProblemError } from '../../errors.ts';
import { Buckets, type Rate } from '../../security/buckets.ts';
import type { Caller } from '../../security/caller.ts';
import { type RequestLimits, THROTTLED } from '../../security/limits.ts';
import { isNeverStarved } from '../../security/never-starved.ts';
import { type Deed, type Restriction, restrictionOn } from '../../security/threat/board.ts';
import type { Defence, Passage } from '../../security/threat/defence.ts';
import {
  isGuarded,
  networkOf,
  type Refusal,
  type Signal,
  signalOf,
  subjectOf,
} from '../../security/threat/signals.ts';
import { Tally } from '../../security/threat/tally.ts';
import { readBoard } from '../../store/access/board.ts';
import { putTally } from '../../store/access/signals.ts';
import type { Store } from '../../store/store.ts';

/** A response is in force in every warm instance after so long, ms; what it costs is one read of one item. */
export const BOARD_AGE_MAX_MS = 5_000;
/** Where and in what a principal acts is told again after so long, ms: it is looked at over that span. */
const TOLD_MS = 240_000;
const TOLD_MAX = 4_096;
/** Nobody waits longer for what was counted to be written, ms. */
const WRITE_WAIT_MS = 250;

export interface DefenceDeps {
  readonly state: Store;
  /** Over the table of signals. */
  readonly signals: Store;
  readonly clock: Clock;
  readonly limits: RequestLimits;
  /** Distinguishes this instance's tallies. */
  readonly instance: string;
  /** What could not be read or written: nothing is refused for it. */
  readonly onTrouble: (what: string, error: unknown) => void;
}

/** Limits, responses and signals of one warm instance; see docs/incidents.md. */
export class InstanceDefence implements Defence {
  readonly #deps: DefenceDeps;
  readonly #buckets = new Buckets();
  readonly #tally = new Tally();
  #told = new Set<string>();
  #toldSince = Number.NEGATIVE_INFINITY;
  #board: readonly Restriction[] = [];
  #boardAt = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #written = 0;

  constructor(deps: DefenceDeps) {
    this.#deps = deps;
  }

  admit(caller: Caller, action: string): void {
    if (isNeverStarved(caller, action)) return;
    const { principal, tenant } = this.#deps.limits;
    this.#take(`p:${caller.principal}`, principal, 'You send');
    if (caller.tenant !== undefined) this.#take(`t:${caller.tenant}`, tenant, 'Your tenant sends');
  }

  #take(name: string, rate: Rate, who: string): void {
    const waitMs = this.#buckets.take(name, rate, this.#deps.clock.monotonicMs());
    if (waitMs === 0) return;
    throw new ProblemError(
      'too-many-requests',
      `${who} more than ${rate.perSecond} requests a second: wait for Retry-After seconds.`,
      { retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) },
    );
  }

  async restrain(caller: Caller, deed: Deed): Promise<void> {
    await this.#freshBoard();
    const restriction = restrictionOn(this.#board, caller, deed, this.#deps.clock.now());
    if (restriction === undefined) return;
    if (restriction.kind === 'revoke')
      throw new ProblemError(
        'principal-revoked',
        `You are cut off by incident ${restriction.incident}; ask an admin.`,
      );
    if (restriction.kind === 'quarantine')
      throw new ProblemError(
        'quarantined',
        `You may read and change nothing, because of incident ${restriction.incident}; ask an admin.`,
      );
    // Asked once more for the object: the request has paid already.
    if (deed.labscape === undefined)
      this.#take(`r:${restriction.incident}`, THROTTLED, 'Throttled: you send');
  }

  async #freshBoard(): Promise<void> {
    if (this.#deps.clock.monotonicMs() - this.#boardAt < BOARD_AGE_MAX_MS) return;
    this.#reading ??= this.#readBoard().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  /** A board that cannot be read stays as it was: an outage lifts no response, and refuses nobody. */
  async #readBoard(): Promise<void> {
    const at = this.#deps.clock.monotonicMs();
    try {
      this.#board = (await readBoard(this.#deps.state, false)).restrictions;
    } catch (error) {
      this.#deps.onTrouble('the board of responses could not be read', error);
    }
    this.#boardAt = at;
  }

  readonly report = ({ code, principal, route, sourceIp, caller }: Refusal): void => {
    const signal = signalOf(code);
    if (signal === undefined) return;
    const network = networkOf(sourceIp);
    this.#note(signal, caller, subjectOf(caller?.principal ?? principal, network), { network, code, route });
  };

  saw({ caller, operation, action, route, sourceIp, target, code }: Passage): void {
    if (code !== undefined) {
      this.report({ code, route, sourceIp, caller, atMs: this.#deps.clock.now() });
      return;
    }
    if (caller === undefined) return;
    const subject = `p:${caller.principal}`;
    if (operation === 'releaseAllocation') this.#note('release', caller, subject, { route });
    const scope = `${action} ${placeOf(target)}`;
    if (this.#isNew(`s ${subject} ${scope}`)) this.#note('scope', caller, subject, { scope });
    if (caller.labscape === undefined) return;
    const network = networkOf(sourceIp);
    if (this.#isNew(`p ${subject} ${caller.labscape} ${network}`))
      this.#note('place', caller, subject, { network, labscape: caller.labscape });
  }

  #note(
    signal: Signal,
    caller: Caller | undefined,
    subject: string,
    seen: { network?: string; labscape?: string; code?: string; route?: string; scope?: string },
  ): void {
    const { tenant, labscape } = caller ?? {};
    this.#tally.note(
      { signal, subject, tenant, labscape, guarded: isGuarded(caller), ...seen },
      this.#deps.clock.monotonicMs(),
    );
  }

  #isNew(what: string): boolean {
    const now = this.#deps.clock.monotonicMs();
    if (now - this.#toldSince >= TOLD_MS || this.#told.size >= TOLD_MAX) {
      this.#told = new Set();
      this.#toldSince = now;
    }
    if (this.#told.has(what)) return false;
    this.#told.add(what);
    return true;
  }

  async settle(): Promise<void> {
    const { clock, signals, instance, onTrouble } = this.#deps;
    const rows = this.#tally.take(clock.monotonicMs());
    if (rows === undefined) return;
    this.#written += 1;
    const at = { nowMs: clock.now(), instance, number: this.#written };
    const written = putTally(signals, at, rows).catch((error: unknown) =>
      onTrouble('signals could not be written', error),
    );
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, WRITE_WAIT_MS);
    });
    await Promise.race([written, enough]);
    clearTimeout(timer);
  }
}

const placeOf = (target: Passage['target']): string => {
  if (target?.tenant !== undefined) return `tenant:${target.tenant}`;
  return target?.labscape === undefined ? '-' : `labscape:${target.labscape}`;
};
