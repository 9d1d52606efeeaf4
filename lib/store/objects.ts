/** Where files go that no table holds: sealed audit windows, backups. S3 on AWS, a folder on one machine. */
export interface ObjectStore {
  /** Writes the whole object. One that is retained cannot be deleted or replaced until then (epoch ms). */
  put(key: string, body: Uint8Array, options?: { readonly retainUntil?: number }): Promise<void>;
  /** Undefined if there is none. */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Keys that begin with the prefix, in order; at most 1,000, those after `after`. */
  list(prefix: string, after?: string): Promise<readonly string[]>;
  /** Not there is fine; retained raises. */
  remove(key: string): Promise<void>;
}

/** The object is retained: nobody may replace or delete it yet. */
export class ObjectRetained extends Error {
  override readonly name = 'ObjectRetained';

  constructor(key: string, options: ErrorOptions = {}) {
    super(`${key} is retained and cannot be replaced or deleted`, options);
  }
}
