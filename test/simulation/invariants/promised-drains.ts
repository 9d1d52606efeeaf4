import type { Reply } from '../world/network.ts';
import type { State } from '../world/state.ts';

const ACCEPTED = 202;
const NAME = /^(.+)-(\d+)-(\d+)$/;

interface Named {
  readonly resource: string;
  readonly epoch: number;
  readonly attempt: number;
}

/**
 * Invariant 6, of orders: a drain that its operator was told was accepted comes to a recovery in the end, if only to one that
 * the rules refuse. The execution that was begun for it may have died before it wrote anything, and then nothing else
 * tells of the order: the resource is well.
 */
export class PromisedDrains {
  readonly #promised: Named[] = [];

  /** The answer to an order. */
  take(reply: Reply): void {
    if (reply.kind === 'lost' || reply.status !== ACCEPTED) return;
    const { recovery } = reply.body as { recovery: string };
    const name = named(recovery);
    if (name !== undefined) this.#promised.push(name);
  }

  /** Those that have come to nothing so far. */
  open({ recoveries }: State): readonly string[] {
    const known = [...recoveries.keys()].flatMap((id) => named(id) ?? []);
    const isKept = (one: Named): boolean =>
      known.some(
        (other) =>
          other.resource === one.resource && other.epoch >= one.epoch && other.attempt >= one.attempt,
      );
    return this.#promised
      .filter((one) => !isKept(one))
      .map(({ resource, epoch, attempt }) => `${resource}-${epoch}-${attempt}`);
  }
}

const named = (recovery: string): Named | undefined => {
  const [, resource, epoch, attempt] = NAME.exec(recovery) ?? [];
  return resource === undefined ? undefined : { resource, epoch: Number(epoch), attempt: Number(attempt) };
};
