import canonicalize from 'canonicalize';
import { AuditEvent } from '../../schemas/audit.ts';
import type { Seal, SealBody, SealKey } from '../../schemas/seal.ts';
import type { ObjectStore } from '../../store/objects.ts';

/** Where the archive keeps what; numbers are padded, so that keys are in order. */
const PREFIX = 'audit';
const padded = (number: number): string => String(number).padStart(12, '0');
export const archiveKeys = {
  seals: `${PREFIX}/seals/`,
  windows: `${PREFIX}/windows/`,
  keys: `${PREFIX}/keys/`,
  seal: (number: number): string => `${PREFIX}/seals/${padded(number)}.json`,
  /** Named by its content: a window that another sealer's draft overtook stands in nobody's way. */
  window: ({ number, root }: Pick<SealBody, 'number' | 'root'>): string =>
    `${PREFIX}/windows/${padded(number)}-${root}.jsonl`,
  key: ({ since, id }: SealKey): string => `${PREFIX}/keys/${padded(since)}-${id}.json`,
};

/** One event a line, canonical JSON, in the order of the leaves. */
export const windowText = (events: readonly AuditEvent[]): string =>
  events.map((event) => `${canonicalize(event)}\n`).join('');

const parseWindow = (body: Uint8Array): readonly AuditEvent[] =>
  Buffer.from(body)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => AuditEvent.parse(JSON.parse(line)));

/** The events of a seal; undefined if the archive has none. */
export const readWindow = async (
  objects: ObjectStore,
  seal: Pick<SealBody, 'number' | 'root'>,
): Promise<readonly AuditEvent[] | undefined> => {
  const body = await objects.get(archiveKeys.window(seal));
  return body === undefined ? undefined : parseWindow(body);
};

export const jsonBytes = (value: Seal | SealKey): Uint8Array => Buffer.from(canonicalize(value) ?? '');

/** Puts what is not there yet: a retained object is never put twice. */
export const putOnce = async (
  objects: ObjectStore,
  key: string,
  body: () => Uint8Array,
  retainUntil: number,
): Promise<void> => {
  if ((await objects.list(key)).includes(key)) return;
  await objects.put(key, body(), { retainUntil });
};
