import type { Signal, SignalRow } from './signals.ts';

/** Rows kept in memory until they are written; more subjects than that are counted together. */
export const ROWS_MAX = 64;
/** Of those, rows about networks: without a token nobody displaces what is known of principals. */
const NETWORK_ROWS_MAX = 8;
/** Members of each list of a row. */
export const SAMPLES_MAX = 8;
/** So many of one signal and subject are written at once, not at the end of the pause. */
const URGENT_COUNT = 16;
/** Releases are everyday work: fewer than this in one pause are forgotten. */
const RELEASES_WORTH_TELLING = 20;
/** Pause between two writes of one instance, ms, and how many may come without it. */
export const FLUSH_EVERY_MS = 10_000;
const FLUSHES_AT_ONCE = 3;

export const OTHERS = 'others';

export interface Sighting {
  readonly signal: Signal;
  readonly subject: string;
  readonly tenant?: string | undefined;
  readonly labscape?: string | undefined;
  readonly network?: string | undefined;
  readonly code?: string | undefined;
  readonly route?: string | undefined;
  readonly scope?: string | undefined;
  readonly guarded: boolean;
}

interface Row {
  readonly signal: Signal;
  readonly subject: string;
  count: number;
  tenant: string | undefined;
  readonly labscapes: Set<string>;
  readonly networks: Set<string>;
  readonly codes: Set<string>;
  readonly routes: Set<string>;
  readonly scopes: Set<string>;
  guarded: boolean;
}

const note = (set: Set<string>, value: string | undefined): void => {
  if (value !== undefined && set.size < SAMPLES_MAX) set.add(value);
};

/**
 * Signals of one warm instance between two writes. Whatever is sent to it, it holds ROWS_MAX rows, and says at most
 * once in FLUSH_EVERY_MS (three times in a burst) that they should be written: no request causes a write of its own.
 */
export class Tally {
  #rows = new Map<string, Row>();
  #networks = 0;
  #since = Number.POSITIVE_INFINITY;
  #urgent = false;
  #flushes = FLUSHES_AT_ONCE;
  #refilledAt = Number.NEGATIVE_INFINITY;

  /** `nowMs` is monotonic. */
  note(sighting: Sighting, nowMs: number): void {
    const row = this.#row(sighting);
    row.count += 1;
    row.tenant ??= sighting.tenant;
    row.guarded ||= sighting.guarded;
    note(row.labscapes, sighting.labscape);
    note(row.networks, sighting.network);
    note(row.codes, sighting.code);
    note(row.routes, sighting.route);
    note(row.scopes, sighting.scope);
    this.#since = Math.min(this.#since, nowMs);
    if (row.signal !== 'release' && row.count >= URGENT_COUNT) this.#urgent = true;
    if (row.signal === 'release' && row.count >= URGENT_COUNT * 4) this.#urgent = true;
  }

  #row({ signal, subject, guarded }: Sighting): Row {
    const network = subject.startsWith('n:');
    const key = `${signal} ${subject}`;
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const full = this.#rows.size >= ROWS_MAX || (network && this.#networks >= NETWORK_ROWS_MAX);
    const others = `${signal} ${OTHERS}`;
    const gathered = full ? this.#rows.get(others) : undefined;
    if (gathered !== undefined) return gathered;
    const row: Row = {
      ...{ signal, subject: full ? OTHERS : subject, count: 0, tenant: undefined, guarded },
      ...{ labscapes: new Set<string>(), networks: new Set<string>(), codes: new Set<string>() },
      ...{ routes: new Set<string>(), scopes: new Set<string>() },
    };
    this.#rows.set(full ? others : key, row);
    if (network && !full) this.#networks += 1;
    return row;
  }

  /** The rows to write now, or undefined. What is handed out is forgotten here. */
  take(nowMs: number): readonly SignalRow[] | undefined {
    if (this.#rows.size === 0) return undefined;
    const aged = nowMs - this.#since >= FLUSH_EVERY_MS;
    if (!aged && !this.#urgent) return undefined;
    if (!this.#mayFlush(nowMs)) return undefined;
    const rows = [...this.#rows.values()].filter(
      ({ signal, count }) => signal !== 'release' || count >= RELEASES_WORTH_TELLING,
    );
    this.#rows = new Map();
    this.#networks = 0;
    this.#since = Number.POSITIVE_INFINITY;
    this.#urgent = false;
    if (rows.length === 0) return undefined;
    this.#flushes -= 1;
    return rows.map(({ labscapes, networks, codes, routes, scopes, ...row }) => ({
      ...row,
      labscapes: [...labscapes],
      networks: [...networks],
      codes: [...codes],
      routes: [...routes],
      scopes: [...scopes],
    }));
  }

  #mayFlush(nowMs: number): boolean {
    if (this.#refilledAt === Number.NEGATIVE_INFINITY) this.#refilledAt = nowMs;
    const gained = Math.floor((nowMs - this.#refilledAt) / FLUSH_EVERY_MS);
    if (gained > 0) {
      this.#flushes = Math.min(FLUSHES_AT_ONCE, this.#flushes + gained);
      this.#refilledAt += gained * FLUSH_EVERY_MS;
    }
    return this.#flushes > 0;
  }
}
