import { gunzipSync, gzipSync } from 'node:zlib';
import type * as z from 'zod';
import { Capsule } from '../../schemas/capsule.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { CorruptItem, ITEM_VERSION, type Item, N, num, S, str, versioned } from '../table/attributes.ts';
import { inPartition } from '../table/query.ts';
import { putNew } from '../table/update.ts';

/** Bytes of data in one item: DynamoDB takes 400 KB with names and keys. */
const CHUNK_BYTES = 350_000;
/** Compressed; the whole of a part is one transaction, which takes 4 MB. */
export const PART_BYTES_MAX = 10 * CHUNK_BYTES;
/** Speed counts: the last fifth of the size costs three times the time. */
const GZIP_LEVEL = 1;
/** A capsule explains; what must be proven is in the audit, which stays. */
const KEPT_S = 366 * 24 * 3_600;

/** What one function has kept of a recovery's decisions; a capsule is all of its parts. */
export const CapsulePart = Capsule.pick({ steps: true, missing: true });
export type CapsulePart = z.infer<typeof CapsulePart>;

/** Not the canonical form: nothing is hashed, and sorting names takes longer than all else. */
const compressed = (part: CapsulePart): Buffer => gzipSync(JSON.stringify(part), { level: GZIP_LEVEL });

/** A part that fits: what a fleet is too large for is left out, and says so. */
const fitting = (part: CapsulePart): Buffer => {
  const whole = compressed(part);
  if (whole.length <= PART_BYTES_MAX) return whole;
  const why = `${whole.length} bytes compressed are more than the ${PART_BYTES_MAX} that are kept`;
  const steps = part.steps.filter(({ phase }) => phase !== 'Failover');
  return compressed({ steps, missing: [...part.missing, { phase: 'Failover', why }] });
};

/** The items of a part: named after its first phase, in chunks. `at`: clock, epoch ms. */
export const encodePart = (recovery: string, part: CapsulePart, at: number): readonly Item[] => {
  const data = fitting(part);
  const of = Math.max(1, Math.ceil(data.length / CHUNK_BYTES));
  const name = part.steps[0]?.phase ?? 'none';
  return Array.from({ length: of }, (_, index) => ({
    ...keys.capsule(recovery, name, index),
    v: N(ITEM_VERSION),
    part: S(name),
    of: N(of),
    ttl: N(Math.ceil(at / 1000) + KEPT_S),
    data: { B: data.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES) },
  }));
};

/** Once: false when the part is there already, whoever wrote it. */
export const writeCapsulePart = async (
  store: Store,
  recovery: string,
  part: CapsulePart,
  at: number,
): Promise<boolean> => {
  const writes = encodePart(recovery, part, at).map((item, index) =>
    putNew(`chunk${index}`, store.tables.state, item),
  );
  return (await store.transact(writes)).kind === 'done';
};

interface Chunk {
  readonly part: string;
  readonly of: number;
  readonly data: Uint8Array;
}

const decodeChunk = versioned((item: Item): Chunk => {
  const data = item['data']?.B;
  if (data === undefined) throw new CorruptItem(`item ${item['pk']?.S} ${item['sk']?.S} has no data`);
  return { part: str(item, 'part'), of: num(item, 'of'), data };
});

/** The parts of a recovery's items, in the order of their keys. Throws CorruptItem. */
export const decodeParts = (items: readonly Item[]): readonly CapsulePart[] => {
  const chunks = items.map(decodeChunk);
  return [...new Set(chunks.map(({ part }) => part))].map((name) => {
    const own = chunks.filter(({ part }) => part === name);
    if (own.length !== own[0]?.of)
      throw new CorruptItem(`part ${name} has ${own.length} chunks of ${own[0]?.of}`);
    const text = gunzipSync(Buffer.concat(own.map(({ data }) => data))).toString('utf8');
    return CapsulePart.parse(JSON.parse(text));
  });
};

/** All that were kept of a recovery, consistently read. */
export const readCapsuleParts = async (store: Store, recovery: string): Promise<readonly CapsulePart[]> =>
  decodeParts(
    await store.queryAll({
      ...inPartition(keys.capsule(recovery, '', 0).pk.S),
      ConsistentRead: true,
    }),
  );
