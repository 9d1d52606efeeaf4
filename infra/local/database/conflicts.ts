import { AwsError } from '../aws-endpoint.ts';
import type { ItemKey } from './dynamodb-calls.ts';

const NAMESPACE = 'com.amazonaws.dynamodb.v20120810';

/**
 * DynamoDB's optimistic concurrency of transactions, which an engine with one writer does not show: who meets an item
 * that a transaction in flight holds is refused at once, not made to wait.
 */
export class Conflicts {
  readonly #held = new Set<ItemKey>();
  /** Plain writes in flight, by item. */
  readonly #writing = new Map<ItemKey, number>();

  /** Runs a transaction over `keys`; `writes` is false for TransactGetItems, which conflicts and holds nothing. */
  async transaction<T>(keys: readonly ItemKey[], writes: boolean, run: () => Promise<T>): Promise<T> {
    const conflicts = keys.map((key) => this.#held.has(key) || (!writes && this.#writing.has(key)));
    if (conflicts.includes(true)) throw cancelled(conflicts);
    if (!writes) return run();
    for (const key of keys) this.#held.add(key);
    try {
      return await run();
    } finally {
      for (const key of keys) this.#held.delete(key);
    }
  }

  async write<T>(key: ItemKey, run: () => Promise<T>): Promise<T> {
    if (this.#held.has(key))
      throw new AwsError(`${NAMESPACE}#TransactionConflictException`, 'Transaction is ongoing for the item');
    this.#writing.set(key, (this.#writing.get(key) ?? 0) + 1);
    try {
      return await run();
    } finally {
      const left = (this.#writing.get(key) ?? 1) - 1;
      if (left === 0) this.#writing.delete(key);
      else this.#writing.set(key, left);
    }
  }
}

function cancelled(conflicts: readonly boolean[]): AwsError {
  const codes = conflicts.map((conflict) => (conflict ? 'TransactionConflict' : 'None'));
  return new AwsError(
    `${NAMESPACE}#TransactionCanceledException`,
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes.join(', ')}]`,
    {
      CancellationReasons: codes.map((Code) =>
        Code === 'None' ? { Code } : { Code, Message: 'Transaction is ongoing for the item' },
      ),
    },
  );
}
