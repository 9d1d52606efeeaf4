import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';

/** One tick of one counter: the proof that the work ran, where, and under which epoch. */
export const CounterLine = z.object({
  n: z.int().min(1),
  resource: z.string(),
  group: z.string(),
  epoch: z.int(),
  at: z.int(),
});
export type CounterLine = z.infer<typeof CounterLine>;

/** Two files of this size are the most that one counter keeps, as in counter.sh. */
export const COUNTER_BYTES_MAX = 1_048_576;
/** Holds tens of lines, of which one is surely whole. */
const TAIL_BYTES = 8_192;

/** A line that was cut off, or an empty one that closed it, is undefined. */
export function parseCounterLine(line: string): CounterLine | undefined {
  try {
    return CounterLine.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

function lastNumber(text: string): number | undefined {
  for (const line of text.split('\n').reverse()) {
    const parsed = parseCounterLine(line);
    if (parsed !== undefined) return parsed.n;
  }
  return undefined;
}

/** A counter's file, open at its end. Each line is one write, so a crash leaves at most the last one cut off. */
export class CounterFile {
  readonly #file: string;
  #descriptor: number;
  #bytes: number;
  #n: number;

  constructor(file: string) {
    mkdirSync(path.dirname(file), { recursive: true });
    this.#file = file;
    this.#descriptor = openSync(file, 'a+');
    this.#bytes = fstatSync(this.#descriptor).size;
    this.#n = this.#recover();
  }

  get n(): number {
    return this.#n;
  }

  append(part: Omit<CounterLine, 'n'>): void {
    this.#n += 1;
    this.#bytes += writeSync(this.#descriptor, `${JSON.stringify({ n: this.#n, ...part })}\n`);
    if (this.#bytes <= COUNTER_BYTES_MAX) return;
    closeSync(this.#descriptor);
    renameSync(this.#file, `${this.#file}.1`);
    this.#descriptor = openSync(this.#file, 'a+');
    this.#bytes = 0;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  /** The number to go on from; closes a line that a crash cut off, so that it spoils no other. */
  #recover(): number {
    if (this.#bytes === 0) return this.#rotated();
    const tail = this.#read(TAIL_BYTES);
    if (!tail.endsWith('\n')) this.#bytes += writeSync(this.#descriptor, '\n');
    return lastNumber(tail) ?? lastNumber(this.#read(this.#bytes)) ?? 0;
  }

  #rotated(): number {
    let descriptor: number;
    try {
      descriptor = openSync(`${this.#file}.1`, 'r');
    } catch {
      return 0;
    }
    const size = fstatSync(descriptor).size;
    const buffer = Buffer.alloc(Math.min(TAIL_BYTES, size));
    readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
    closeSync(descriptor);
    return lastNumber(buffer.toString('utf8')) ?? 0;
  }

  #read(bytes: number): string {
    const buffer = Buffer.alloc(Math.min(bytes, this.#bytes));
    readSync(this.#descriptor, buffer, 0, buffer.length, this.#bytes - buffer.length);
    return buffer.toString('utf8');
  }
}
