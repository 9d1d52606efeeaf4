import { DIMENSIONS } from '../../schemas/common.ts';
import { DEVICE_MILLI, type DeviceDemand } from '../../schemas/devices.ts';
import type { Candidate } from '../candidate.ts';
import { GROUPS_BORN_MAX, GROUPS_HELD_MAX } from '../groups.ts';
import type { PlacementRequest } from '../request.ts';
import type { Cell } from './cells.ts';
import type { Profile } from './profiles.ts';
import { type Bounds, type Rows, STRIDE } from './rows.ts';
import type { SpreadBook } from './spread-book.ts';

/** As `fitDevices`, but only whether. */
const devicesFit = ({ devices: bank }: Candidate, { count, milli, models }: DeviceDemand): boolean => {
  if (bank === undefined || (models !== undefined && !models.includes(bank.model))) return false;
  let able = 0;
  for (const used of bank.used) if (used + milli <= DEVICE_MILLI) able += 1;
  return able >= count;
};

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
  /** Neither devices nor exceptions: most rows are judged by numbers alone. */
  readonly #plain: boolean;
  #cells: readonly Cell[] | undefined;

  constructor(rows: Rows, book: SpreadBook, profile: Profile, request: PlacementRequest) {
    this.request = request;
    this.#rows = rows;
    this.#bounds = rows.under(request.purpose);
    this.#profile = profile;
    this.#admitted = profile.admitted;
    this.amounts = Float64Array.from(DIMENSIONS, (d) => request.demand[d]);
    const { spread } = request.constraints;
    const holders = spread === undefined ? undefined : book.holders(spread.key);
    this.#holders = holders === undefined || holders.size === 0 ? undefined : holders;
    // Hard rules bind each other; towards a soft one of the same key being apart is a preference.
    this.#keepers = spread?.hard === true ? book.keepers(spread.key) : undefined;
    this.#plain = request.devices === undefined && request.except === undefined;
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
    if (this.#plain && this.within === undefined && (this.#rows.groups[row] ?? 0) < this.#groupsMax)
      return true;
    return this.#looksCloser(row);
  }

  /** What seldom refuses and needs the object. */
  #looksCloser(row: number): boolean {
    const { devices, except, kind } = this.request;
    const { within } = this;
    const candidate = this.#rows.at(row);
    if (within !== undefined && !within.has(candidate.labscape)) return false;
    if (except?.has(candidate.id)) return false;
    if (devices !== undefined && !devicesFit(candidate, devices)) return false;
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
