import type * as z from 'zod';
import type { Allocation, Constraints } from '../../../lib/schemas/allocation.ts';
import type { Class, Vector } from '../../../lib/schemas/common.ts';
import { equals } from '../../../lib/vector.ts';

export type SeenAllocation = z.output<typeof Allocation>;

/** What the drill itself wrote down of an allocation when the API accepted it. */
export interface LedgerEntry {
  readonly id: string;
  readonly class: Class;
  readonly demand: Vector;
  readonly constraints: z.output<typeof Constraints>;
}

/** Every accepted allocation by its id: the drill's own word against the control plane's. */
export type Ledger = ReadonlyMap<string, LedgerEntry>;

export interface LedgerFindings {
  /** Accepted, and no longer known, or ended without anybody asking. */
  readonly lost: readonly string[];
  readonly pending: readonly string[];
  /** One sentence each: there twice, never asked for, changed, or where it must not be. */
  readonly faults: readonly string[];
}

/** Compares the ledger with what was read back over HTTP after the recovery. Pure. */
export function checkLedger(
  ledger: Ledger,
  listed: readonly SeenAllocation[],
  victim: string,
): LedgerFindings {
  const lost: string[] = [];
  const pending: string[] = [];
  const faults: string[] = [];
  const seen = new Map<string, SeenAllocation>();
  for (const allocation of listed) {
    const { id } = allocation;
    if (seen.has(id)) faults.push(`allocation ${id} is listed twice`);
    if (!ledger.has(id)) faults.push(`allocation ${id} was never asked for`);
    seen.set(id, allocation);
  }
  for (const entry of ledger.values()) {
    const allocation = seen.get(entry.id);
    if (allocation === undefined || allocation.status === 'released' || allocation.status === 'expired') {
      lost.push(entry.id);
      continue;
    }
    if (allocation.status === 'pending') pending.push(entry.id);
    faults.push(...changes(entry, allocation), ...misplaced(allocation, victim));
  }
  return { lost, pending, faults };
}

function changes(entry: LedgerEntry, seen: SeenAllocation): string[] {
  const faults: string[] = [];
  if (!equals(entry.demand, seen.demand)) faults.push(`allocation ${entry.id} has another demand`);
  if (entry.class !== seen.class) faults.push(`allocation ${entry.id} has another class`);
  if (JSON.stringify(entry.constraints) !== JSON.stringify(seen.constraints)) {
    faults.push(`allocation ${entry.id} has other constraints`);
  }
  return faults;
}

function misplaced(
  { id, status, resource, labscape, constraints }: SeenAllocation,
  victim: string,
): string[] {
  if (status !== 'placed') return [];
  if (resource === undefined || labscape === undefined) return [`allocation ${id} is placed nowhere`];
  const faults: string[] = [];
  if (resource === victim) faults.push(`allocation ${id} is still on ${victim}`);
  const { labscapes, notLabscapes } = constraints;
  if (labscapes?.includes(labscape) === false || notLabscapes?.includes(labscape) === true) {
    faults.push(`allocation ${id} is on ${resource} in ${labscape}, which its constraints rule out`);
  }
  return faults;
}
