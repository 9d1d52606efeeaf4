import type * as z from 'zod';
import type { HeartbeatInput } from '../../schemas/heartbeat.ts';
import { cut, shown } from '../../schemas/text.ts';
import type { BeatRecord } from '../../store/fleet/heartbeats.ts';

/** Enough to say what is wrong, characters. */
const WORD_LENGTH_MAX = 120;

/** Of all words of a labscape, bytes: each KB of its heartbeat item is a write unit of every batch. */
export const WORDS_BYTES_MAX = 1_024;

const bytesOf = (resource: string, word: string): number =>
  Buffer.byteLength(resource) + Buffer.byteLength(word);

/**
 * What a batch changes of the words by which resources are degraded; undefined takes one back. Those go whose resource is
 * said to be something else, or is silent for longer than its lease: its silence is then what is to be said of it. Where
 * there is no room for a word it is left out.
 */
export const wordChanges = (
  { resources }: z.infer<typeof HeartbeatInput>,
  { words, pulses }: Pick<BeatRecord, 'words' | 'pulses'>,
  now: number,
): ReadonlyMap<string, string | undefined> => {
  const changes = new Map<string, string | undefined>();
  const said = new Set(resources.map(({ resource }) => resource));
  let bytes = 0;
  for (const [resource, word] of words) {
    if (said.has(resource)) continue;
    const pulse = pulses.get(resource);
    if (pulse === undefined || now - pulse.lastAt > pulse.leaseEndMs) changes.set(resource, undefined);
    else bytes += bytesOf(resource, word);
  }
  for (const { resource, status, reason = '' } of resources) {
    const word = status === 'degraded' ? cut(shown(reason), WORD_LENGTH_MAX) : '';
    const size = bytesOf(resource, word);
    const fits = word !== '' && bytes + size <= WORDS_BYTES_MAX;
    if (fits) bytes += size;
    const after = fits ? word : undefined;
    if (after !== words.get(resource)) changes.set(resource, after);
  }
  return changes;
};
