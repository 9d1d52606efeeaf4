import type { CounterLine } from '../sample/counter-file.ts';
import type { SeenAllocation } from './ledger.ts';

/** By allocation, the lines of its counter in the order in which they were written. */
export type CounterLog = ReadonlyMap<string, readonly CounterLine[]>;

/** The fence: until when the killed agent held its lease. Epoch ms. */
export interface FenceFacts {
  readonly victim: string;
  readonly leaseEndsAt: number;
}

/**
 * Each counter went on from where it stood or later and counted nothing twice; no two owners counted in turn; the
 * victim wrote nothing after its lease had ended, and whoever took over wrote nothing before. Pure.
 */
export function checkCounters(log: CounterLog, fence: FenceFacts): readonly string[] {
  const faults: string[] = [];
  for (const [id, lines] of log) {
    const fault = firstFault(lines, fence);
    if (fault !== undefined) faults.push(`counter ${id}: ${fault}`);
  }
  return faults;
}

function firstFault(lines: readonly CounterLine[], fence: FenceFacts): string | undefined {
  let before: CounterLine | undefined;
  for (const line of lines) {
    const fault = (before && transitionFault(before, line, fence)) ?? lineFault(line, fence);
    if (fault !== undefined) return fault;
    before = line;
  }
  return undefined;
}

function lineFault(
  { n, resource, at }: CounterLine,
  { victim, leaseEndsAt }: FenceFacts,
): string | undefined {
  if (resource !== victim || at <= leaseEndsAt) return undefined;
  return `line ${n} was written by ${victim} ${at - leaseEndsAt} ms after its lease had ended`;
}

function transitionFault(
  before: CounterLine,
  line: CounterLine,
  { victim, leaseEndsAt }: FenceFacts,
): string | undefined {
  const { n, resource, epoch, at } = line;
  if (n <= before.n) return `line ${n} of ${resource} comes after line ${before.n} of ${before.resource}`;
  if (at < before.at) return `line ${n} was written ${before.at - at} ms before line ${before.n}`;
  // Tidying gives members of a group to another group of the same resource, whose epochs are its own.
  const comparable = line.group === before.group;
  if (comparable && epoch < before.epoch)
    return `line ${n} is of epoch ${epoch}, epoch ${before.epoch} has begun`;
  if (resource === before.resource) return undefined;
  // Only a new epoch makes a new owner, so no owner can return and two can never count in turn.
  if (comparable && epoch === before.epoch)
    return `${before.resource} and ${resource} both count in epoch ${epoch}`;
  if (before.resource === victim && at < leaseEndsAt) {
    return `${resource} began ${leaseEndsAt - at} ms before the lease of ${victim} had ended`;
  }
  return undefined;
}

/** Everything that ran before runs now: its last line is its present owner's, and is recent. Pure. */
export function checkRunning(
  log: CounterLog,
  listed: readonly SeenAllocation[],
  since: number,
): readonly string[] {
  const faults: string[] = [];
  const homes = new Map(listed.map((allocation) => [allocation.id, allocation]));
  for (const [id, lines] of log) {
    const last = lines.at(-1);
    const home = homes.get(id);
    if (last === undefined || home === undefined) continue;
    const { resource, group, groupEpoch } = home;
    if (last.at < since) {
      faults.push(`allocation ${id} does not run: its last line is ${since - last.at} ms too old`);
    } else if (last.resource !== resource || last.group !== group || last.epoch !== groupEpoch) {
      faults.push(
        `allocation ${id} runs on ${last.resource} at epoch ${last.epoch}, not on ${resource ?? 'its owner'} at ${groupEpoch ?? 0}`,
      );
    } else if (home.running !== true) {
      faults.push(`allocation ${id} runs, but the API does not say so`);
    }
  }
  return faults;
}

/** When the last of the moved counters wrote its first line on its new owner, epoch ms; undefined: not all have. */
export function allRunningAt(log: CounterLog, moved: Iterable<string>, victim: string): number | undefined {
  let latest: number | undefined;
  for (const id of moved) {
    const lines = log.get(id) ?? [];
    const lastOfVictim = lines.findLastIndex(({ resource }) => resource === victim);
    const first = lines[lastOfVictim + 1];
    if (lastOfVictim < 0 || first === undefined) return undefined;
    latest = Math.max(latest ?? 0, first.at);
  }
  return latest;
}
