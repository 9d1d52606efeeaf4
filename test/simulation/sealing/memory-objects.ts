import { ObjectRetained, type ObjectStore } from '../../../lib/store/objects.ts';

/** An archive of one history: whatever is put stays as it is. */
export class MemoryObjects implements ObjectStore {
  readonly objects = new Map<string, Uint8Array>();

  async put(key: string, body: Uint8Array): Promise<void> {
    const there = this.objects.get(key);
    if (there !== undefined && Buffer.compare(there, body) !== 0) throw new ObjectRetained(key);
    this.objects.set(key, body);
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.objects.get(key);
  }

  async list(prefix: string, after = ''): Promise<readonly string[]> {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  }

  async remove(key: string): Promise<void> {
    if (this.objects.has(key)) throw new ObjectRetained(key);
  }
}
