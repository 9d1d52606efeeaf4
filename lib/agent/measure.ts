import { readFile, statfs } from 'node:fs/promises';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../clock.ts';
import { QUANTITY_MAX, type Vector } from '../schemas/common.ts';

/** Kernel counters of processor time, ms. */
export interface CpuTimes {
  readonly busyMs: number;
  readonly totalMs: number;
}

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const BITS_PER_BYTE = 8;
/** What is assumed of a network card that does not tell its speed, Mbit/s. */
const NETWORK_MBITS_DEFAULT = 1_000;

/** MemAvailable is what can be had without swapping; MemFree would count the file cache as used. KiB in, MiB out. */
export function availableMiB(meminfo: string): number | undefined {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo);
  return match?.[1] === undefined ? undefined : Math.floor(Number(match[1]) / 1024);
}

/** Bytes received and sent over all interfaces but the loopback. */
export function networkBytes(netDev: string): number {
  let bytes = 0;
  for (const line of netDev.split('\n')) {
    const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line);
    if (match === null || match[1] === 'lo') continue;
    const fields = (match[2] ?? '').trim().split(/\s+/).map(Number);
    bytes += (fields[0] ?? 0) + (fields[8] ?? 0);
  }
  return bytes;
}

export function cpuTimes(cpus: readonly { times: os.CpuInfo['times'] }[]): CpuTimes {
  let busyMs = 0;
  let totalMs = 0;
  for (const { times } of cpus) {
    const busy = times.user + times.nice + times.sys + times.irq;
    busyMs += busy;
    totalMs += busy + times.idle;
  }
  return { busyMs, totalMs };
}

/** milli-vCPU used between two readings; the load average stands in until there are two. */
export function processingUsed(
  before: CpuTimes | undefined,
  after: CpuTimes,
  cpus: number,
  loadAverage: number,
): number {
  const spanMs = before === undefined ? 0 : after.totalMs - before.totalMs;
  if (before === undefined || spanMs <= 0) return Math.round(Math.min(loadAverage, cpus) * 1000);
  return Math.max(0, Math.round(((after.busyMs - before.busyMs) / spanMs) * cpus * 1000));
}

/** Counters go back now and then, and file systems say odd things: what the API refuses would cost the whole beat. */
const quantityOf = (value: number): number => Math.min(QUANTITY_MAX, Math.max(0, Math.ceil(value)));

const textOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');

/** What is asked of a file system; its figures are in blocks. */
interface FileSystem {
  readonly blocks: number;
  readonly bfree: number;
  readonly bsize: number;
}

/** A file system that hangs must not hold a beat: one of another host may, for good. */
const STATFS_MS_MAX = 100;

/** Measures what the host uses; rates are those since the call before. */
export class HostMeter {
  readonly #clock: Clock;
  readonly #storagePath: string;
  readonly #statfs: (path: string) => Promise<FileSystem>;
  #asked: Promise<FileSystem> | undefined;
  #cpu: CpuTimes | undefined;
  #network: { bytes: number; atMs: number } | undefined;

  constructor(
    clock: Clock,
    storagePath: string,
    askFileSystem: (path: string) => Promise<FileSystem> = (of) => statfs(of),
  ) {
    this.#clock = clock;
    this.#storagePath = storagePath;
    this.#statfs = askFileSystem;
  }

  /** Rejects where the file system has no answer at once. */
  async used(): Promise<Vector> {
    const cpus = os.cpus();
    const cpu = cpuTimes(cpus);
    const [oneMinute = 0] = os.loadavg();
    const processing = processingUsed(this.#cpu, cpu, cpus.length, oneMinute);
    this.#cpu = cpu;
    const [meminfo, disk, network] = await Promise.all([
      textOf('/proc/meminfo'),
      this.#storage(),
      this.#networkUsed(),
    ]);
    const free = availableMiB(meminfo) ?? Math.floor(os.freemem() / MIB);
    const memory = quantityOf(Math.floor(os.totalmem() / MIB) - free);
    const storage = quantityOf(((disk.blocks - disk.bfree) * disk.bsize) / GIB);
    return { processing, memory, storage, network };
  }

  /** Of the same question each time until it is answered: each that hangs takes a thread of the process. */
  async #storage(): Promise<FileSystem> {
    this.#asked ??= this.#statfs(this.#storagePath).finally(() => {
      this.#asked = undefined;
    });
    const answered = new AbortController();
    const late = sleep(STATFS_MS_MAX, undefined, { signal: answered.signal }).catch(() => undefined);
    const disk = await Promise.race([this.#asked, late]).finally(() => answered.abort());
    if (disk === undefined) throw new Error(`the file system of ${this.#storagePath} does not answer`);
    return disk;
  }

  /** 0 where the kernel does not tell. */
  async #networkUsed(): Promise<number> {
    const text = await textOf('/proc/net/dev');
    const now = { bytes: networkBytes(text), atMs: this.#clock.monotonicMs() };
    const before = this.#network;
    this.#network = now;
    const spanMs = before === undefined ? 0 : now.atMs - before.atMs;
    if (before === undefined || spanMs <= 0 || now.bytes < before.bytes) return 0;
    const megabits = ((now.bytes - before.bytes) * BITS_PER_BYTE) / 1_000_000;
    return Math.round(megabits / (spanMs / 1000));
  }
}

/** What the host seems to offer: the proposal of `register`, to be looked at by a person. */
export async function guessCapacity(storagePath: string): Promise<Vector> {
  const disk = await statfs(storagePath);
  const names = Object.keys(os.networkInterfaces()).filter((name) => name !== 'lo');
  const speeds = await Promise.all(
    names.map(async (name) => Number(await textOf(`/sys/class/net/${name}/speed`))),
  );
  return {
    processing: Math.max(1, os.cpus().length) * 1000,
    memory: Math.floor(os.totalmem() / MIB),
    storage: Math.max(1, Math.floor((disk.blocks * disk.bsize) / GIB)),
    network: Math.max(0, ...speeds.filter((speed) => speed > 0)) || NETWORK_MBITS_DEFAULT,
  };
}
