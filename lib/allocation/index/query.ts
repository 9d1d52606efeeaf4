import type { DeviceDemand } from '../../schemas/devices.ts';
import { GROUPS_BORN_MAX, GROUPS_HELD_MAX } from '../groups.ts';
import type { PlacementRequest } from '../request.ts';
import { type Bank, NO_BANK } from './banks.ts';
import type { Cell } from './cells.ts';
import type { Profile } from './profiles.ts';
import { type Bounds, type Rows, STRIDE } from './rows.ts';
import type { SpreadBook } from './spread-book.ts';

/** As `fitDevices`, but only whether. */
const fitsIn = ({ model, gaps }: Bank, { count, milli, models }: DeviceDemand): boolean =>
  (models === undefined || models.includes(model)) && (gaps[gaps.length - count] ?? 0) >= milli;

/** One request put to the index: which rows can take the demand now, and what their share would be. */
export class Query {
  readonly request: PlacementRequest;
  /** The demand in the order of DIMENSIONS. */
  readonly amounts: Float64Array;
  /** False: of a spread only rows without the key pass; true: only rows with it, by a soft rule where it is hard. */
  beside = false;
  /** Only in these labscapes; everywhere when undefined. */
  within: ReadonlySet<string> | undefined;
  readonly #rows: Rows;
  readonly #bounds: Bounds;
  readonly #profile: Profile;
  readonly #admitted: Uint8Array;
  readonly #holders: ReadonlyMap<number, number> | undefined;
  readonly #keepers: ReadonlyMap<number, number> | undefined;
  readonly #groupsMax: number;
  /** By the id of a bank: 0 not judged yet, 1 the devices fit, 2 they do not. */
  readonly #fits: Uint8Array | undefined;
  #cells: readonly Cell[] | undefined;

  constructor(rows: Rows, book: SpreadBook, profile: Profile, request: PlacementRequest) {
    this.request = request;
    this.#rows = rows;
    this.#bounds = rows.under(request.purpose);
    this.#profile = profile;
    this.#admitted = profile.admitted;
    const { demand } = request;
    // By name and not in a loop, as in rows.ts.
    this.amounts = new Float64Array(STRIDE);
    this.amounts[0] = demand.processing;
    this.amounts[1] = demand.memory;
    this.amounts[2] = demand.storage;
    this.amounts[3] = demand.network;
    const { spread } = request.constraints;
    const holders = spread === undefined ? undefined : book.holders(spread.key);
    this.#holders = holders === undefined || holders.size === 0 ? undefined : holders;
    // Hard rules bind each other; towards a soft one of the same key being apart is a preference.
    this.#keepers = spread?.hard === true ? book.keepers(spread.key) : undefined;
    this.#fits = request.devices && new Uint8Array(rows.banks.end);
    this.#groupsMax = request.purpose === 'failover' ? GROUPS_HELD_MAX : GROUPS_BORN_MAX;
  }

  /** Whether rows that hold the spread key come after those that do not. */
  get softly(): boolean {
    return this.#holders !== undefined;
  }

  /** Cells that the constraints admit. */
  cells(): readonly Cell[] {
    this.#cells ??= this.#profile.cells();
    return this.#cells;
  }

  /** Healthy rows in admitted cells, with room or not. */
  population(): number {
    let count = 0;
    for (const { members } of this.cells()) count += members.length;
    return count;
  }

  admits(cell: number): boolean {
    return this.#admitted[cell] === 1;
  }

  /** Whether the row can take the demand now, in the present tier of a soft spread. */
  accepts(row: number): boolean {
    const { room, open } = this.#bounds;
    if (open[row] !== 1 || this.#admitted[this.#rows.cell[row] ?? 0] !== 1) return false;
    const { amounts } = this;
    for (let d = 0, at = row * STRIDE; d < STRIDE; d++, at++) {
      const amount = amounts[d] ?? 0;
      if (amount > 0 && amount > (room[at] ?? 0)) return false;
    }
    if (this.#holders !== undefined && this.#holders.has(row) !== this.beside) return false;
    if (this.#keepers?.has(row) === true) return false;
    if (this.#fits !== undefined && !this.#devicesFit(this.#fits, row)) return false;
    if (
      this.within === undefined &&
      this.request.except === undefined &&
      (this.#rows.groups[row] ?? 0) < this.#groupsMax
    )
      return true;
    return this.#looksCloser(row);
  }

  #devicesFit(fits: Uint8Array, row: number): boolean {
    const id = this.#rows.bank[row] ?? NO_BANK;
    if (fits[id] === 0) {
      const { devices } = this.request;
      const fit = devices === undefined || fitsIn(this.#rows.banks.get(id), devices);
      fits[id] = fit ? 1 : 2;
    }
    return fits[id] === 1;
  }

  /** What seldom refuses and needs the object. */
  #looksCloser(row: number): boolean {
    const { except, kind } = this.request;
    const { within } = this;
    const candidate = this.#rows.at(row);
    if (within !== undefined && !within.has(candidate.labscape)) return false;
    if (except?.has(candidate.id)) return false;
    return candidate.groups.length < this.#groupsMax || candidate.groups.some((g) => g.kind === kind);
  }

  /** Dominant share of the row's bound once the demand is there. */
  shareAfter(row: number): number {
    const { room, bound } = this.#bounds;
    let share = 0;
    for (let d = 0, at = row * STRIDE; d < STRIDE; d++, at++) {
      const most = bound[at] ?? 0;
      const after = most - (room[at] ?? 0) + (this.amounts[d] ?? 0);
      if (after > 0 && after / most > share) share = after / most;
    }
    return share;
  }
}
