import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEVICE_SLOTS, type PackDemand } from '../../../lib/allocation/packing/shape.ts';
import type { PackNode } from '../pack-node.ts';

const NODES_FILE = 'openb_node_list_gpu_node.csv';
/** The workload that the published figures are of. */
export const WORKLOAD_DEFAULT = 'default';
const tasksFile = (workload: string): string => `openb_pod_list_${workload}.csv`;

export interface Task {
  readonly name: string;
  readonly demand: PackDemand;
  /** Σ GPU milli over its devices. */
  readonly gpuMilli: number;
}

export interface Trace {
  /** By name. */
  readonly nodes: readonly PackNode[];
  /** By name. */
  readonly tasks: readonly Task[];
  readonly gpuMilli: number;
}

/** A command that was given wrongly, not a bug: its message is all the user needs. */
export class MissingDataError extends Error {}

const rowsOf = (directory: string, file: string): readonly ReadonlyMap<string, string>[] => {
  const path = join(directory, file);
  if (!existsSync(path))
    throw new MissingDataError(
      `${path} is missing: the openb data is not shipped; name the folder that holds it with --data DIR.`,
    );
  const [head = '', ...lines] = readFileSync(path, 'utf8').trim().split(/\r?\n/);
  const titles = head.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    return new Map(titles.map((title, i) => [title, cells[i] ?? '']));
  });
};

const byName = <T>(nameOf: (item: T) => string) => {
  return (a: T, b: T): number => (nameOf(a) < nameOf(b) ? -1 : 1);
};

const nodeOf = (row: ReadonlyMap<string, string>): PackNode => {
  const number = (title: string): number => Number(row.get(title));
  const capacity = [number('cpu_milli'), number('memory_mib')];
  return {
    ...{ id: row.get('sn') ?? '', model: row.get('model') ?? '', capacity, free: capacity },
    devices: new Array<number>(number('gpu')).fill(DEVICE_SLOTS),
  };
};

const taskOf = (row: ReadonlyMap<string, string>): Task => {
  const number = (title: string): number => Number(row.get(title));
  const amounts = [number('cpu_milli'), number('memory_mib')];
  const count = number('num_gpu');
  const name = row.get('name') ?? '';
  if (count === 0) return { name, demand: { amounts }, gpuMilli: 0 };
  const slots = count === 1 ? number('gpu_milli') : DEVICE_SLOTS;
  const spec = row.get('gpu_spec') ?? '';
  const models = spec === '' ? undefined : spec.split('|');
  return { name, demand: { amounts, devices: { count, slots, models } }, gpuMilli: count * slots };
};

/** `workload`: as in the name of its file, openb_pod_list_WORKLOAD.csv. Throws MissingDataError. */
export const readTrace = (directory: string, workload = WORKLOAD_DEFAULT): Trace => {
  const nodes = rowsOf(directory, NODES_FILE).map(nodeOf);
  const tasks = rowsOf(directory, tasksFile(workload)).map(taskOf);
  return {
    nodes: nodes.sort(byName((node) => node.id)),
    tasks: tasks.sort(byName((task) => task.name)),
    gpuMilli: nodes.reduce((sum, { devices }) => sum + DEVICE_SLOTS * devices.length, 0),
  };
};

/** Seeded numbers in [0, 1): mulberry32 (public domain, Tommy Ettinger). Not the generator of the published runs. */
export const randomOf = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** Step 2 of the protocol: shuffle (Fisher–Yates), then append resamples until the next would pass the target. */
export const arrivalsOf = (trace: Trace, seed: number, targetShare: number): readonly Task[] => {
  const random = randomOf(seed);
  const arrivals = [...trace.tasks];
  const pick = (below: number): number => Math.floor(random() * below);
  for (let i = arrivals.length - 1; i > 0; i--) {
    const j = pick(i + 1);
    const [a, b] = [arrivals[i], arrivals[j]];
    if (a === undefined || b === undefined) continue;
    arrivals[i] = b;
    arrivals[j] = a;
  }
  let asked = arrivals.reduce((sum, { gpuMilli }) => sum + gpuMilli, 0);
  for (;;) {
    const next = trace.tasks[pick(trace.tasks.length)];
    if (next === undefined || asked + next.gpuMilli > targetShare * trace.gpuMilli) return arrivals;
    asked += next.gpuMilli;
    arrivals.push(next);
  }
};
