import { DEVICE_MILLI } from '../../schemas/devices.ts';
import type { DeviceBank } from '../devices.ts';

/** Devices as placement judges them: equal for all resources of one model with equal gaps. */
export interface Bank {
  readonly model: string;
  /** Free sub-slots of each device, ascending. */
  readonly gaps: readonly number[];
}

interface Held extends Bank {
  readonly key: string;
  rows: number;
}

/** Id of what has no devices at all. */
export const NO_BANK = 0;
const NOTHING: Bank = { model: '', gaps: [] };

/** Interns what devices the rows have, so that a demand for devices is judged once for all rows with equal ones. */
export class Banks {
  readonly #held: (Held | undefined)[] = [undefined];
  readonly #idOf = new Map<string, number>();
  readonly #unused: number[] = [];

  /** Ids in use are below this. */
  get end(): number {
    return this.#held.length;
  }

  get(id: number): Bank {
    return this.#held[id] ?? NOTHING;
  }

  /** Counts a row out of the bank it had and into that of `devices`, whose id it returns. */
  swap(before: number, devices: DeviceBank | undefined): number {
    const id = devices === undefined ? NO_BANK : this.#join(devices);
    this.#leave(before);
    return id;
  }

  #join({ model, used }: DeviceBank): number {
    const gaps = used.map((taken) => DEVICE_MILLI - taken).sort((a, b) => a - b);
    const key = `${model}/${gaps.join()}`;
    const known = this.#idOf.get(key) ?? NO_BANK;
    const held = this.#held[known];
    if (held !== undefined) {
      held.rows += 1;
      return known;
    }
    const id = this.#unused.pop() ?? this.#held.length;
    this.#held[id] = { model, gaps, key, rows: 1 };
    this.#idOf.set(key, id);
    return id;
  }

  #leave(id: number): void {
    const held = this.#held[id];
    if (held === undefined) return;
    held.rows -= 1;
    if (held.rows > 0) return;
    this.#idOf.delete(held.key);
    this.#held[id] = undefined;
    this.#unused.push(id);
  }
}
