import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { asError } from '../errors.ts';

/** A log file is renamed to `NAME.log.1` at this size, so that a host that runs for weeks fills no disk. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;

export type MetricListener = (functionName: string, emf: unknown) => void;

/** What the functions write to standard output: structured lines to a file each, and metrics to whoever listens. */
export class LogSink {
  readonly #dir: string | undefined;
  readonly #files = new Map<string, { stream: WriteStream; bytes: number }>();
  readonly #listeners = new Set<MetricListener>();
  /** Names of files that could not be written, and not since: one word on each is enough. */
  readonly #lost = new Set<string>();

  /** Without `dir` lines are dropped; listeners hear of metrics all the same. */
  constructor(dir: string | undefined) {
    this.#dir = dir;
    if (dir !== undefined) mkdirSync(dir, { recursive: true });
  }

  /** Calls `listener` with each EMF document (CloudWatch's embedded metrics); returns how to stop it. */
  onMetric(listener: MetricListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  line(functionName: string, line: string): void {
    if (this.#listeners.size > 0 && line.includes('"_aws"')) this.#publish(functionName, line);
    if (this.#dir === undefined) return;
    const file = this.#file(functionName, this.#dir);
    file.stream.write(`${line}\n`, (error) => {
      if (!error) this.#lost.delete(functionName);
    });
    file.bytes += line.length + 1;
  }

  /** The host's own word on a function, in the shape of the functions' own lines. */
  note(functionName: string, message: string, detail: Record<string, unknown>): void {
    const timestamp = new Date().toISOString();
    this.line(
      functionName,
      JSON.stringify({ level: 'ERROR', message, service: 'host', timestamp, ...detail }),
    );
  }

  /** A stream that a function may take for its standard output. */
  stream(functionName: string): Writable {
    let rest = '';
    return new Writable({
      decodeStrings: false,
      write: (chunk: string | Buffer, _encoding, done) => {
        const lines = (rest + chunk.toString()).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) this.line(functionName, line);
        done();
      },
    });
  }

  async close(): Promise<void> {
    const streams = [...this.#files.values()].map(({ stream }) => stream);
    this.#files.clear();
    await Promise.all(streams.map((stream) => new Promise<void>((resolve) => stream.end(resolve))));
  }

  #publish(functionName: string, line: string): void {
    let emf: unknown;
    try {
      emf = JSON.parse(line);
    } catch {
      return; // a line that merely mentions _aws
    }
    for (const listener of this.#listeners) listener(functionName, emf);
  }

  #file(name: string, dir: string): { stream: WriteStream; bytes: number } {
    const path = join(dir, `${name}.log`);
    const known = this.#files.get(name);
    if (known !== undefined && known.bytes < FILE_BYTES_MAX) return known;
    if (known !== undefined) {
      known.stream.end();
      this.#rotate(name, path);
    }
    const stream = createWriteStream(path, { flags: 'a' });
    const file = { stream, bytes: statSync(path, { throwIfNoEntry: false })?.size ?? 0 };
    this.#files.set(name, file);
    // A stream that failed takes nothing more, so the next line opens another: there may be room again by then.
    stream.on('error', (error) => {
      if (this.#files.get(name) === file) this.#files.delete(name);
      this.#complain(name, path, error);
    });
    return file;
  }

  /** A log that cannot be moved, because somebody has removed it, say, is no reason to fail a request. */
  #rotate(name: string, path: string): void {
    try {
      renameSync(path, `${path}.1`);
    } catch (error) {
      this.#complain(name, path, error);
    }
  }

  #complain(name: string, path: string, error: unknown): void {
    if (this.#lost.has(name)) return;
    this.#lost.add(name);
    process.stderr.write(`log ${path}: lines are lost until it can be written: ${asError(error).message}\n`);
  }
}
