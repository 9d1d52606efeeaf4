import type * as z from 'zod';
import { REPORT_GROUPS_MAX, type ReportAnswer, type ReportInput } from '../schemas/assignment.ts';
import { cut } from '../schemas/text.ts';
import type { Desired, Running } from './work.ts';

type Report = z.output<typeof ReportInput>;
type ReportedGroup = Report['groups'][number];

/** What the control plane has been told and has accepted. */
export interface Ledger {
  readonly groups: ReadonlyMap<string, ReportedGroup>;
  /** Highest resource epoch whose fence was acknowledged. */
  readonly fencedEpoch: number;
}

export const EMPTY_LEDGER: Ledger = { groups: new Map(), fencedEpoch: 0 };

export interface ReportView {
  readonly agent: string;
  /** Resource epoch that this host knows of. */
  readonly epoch: number;
  /** Highest resource epoch of which all older work has been stopped. */
  readonly carriedEpoch: number;
  readonly desired: Desired | undefined;
  readonly running: ReadonlyMap<string, Running>;
}

/** Schema bounds of a group's failures. */
const FAILED_MAX = 20;
const REASON_LENGTH_MAX = 200;

/** The next report that is due, or undefined when all has been told. Made from the present, never from the past. */
export function nextReport(ledger: Ledger, view: ReportView): Report | undefined {
  const groups: ReportedGroup[] = [];
  const stopped: Report['stopped'] = [];
  const current = currentGroups(view);
  const owned = ownedGroups(view.desired);
  // A member may have been given to a group that has left, and run under its old one still: as long as anything is
  // stopping here nobody can say that all of a group has.
  const stopping = [...view.running.values()].some(({ state }) => state === 'stopping');
  for (const [group, now] of current) {
    // What is no longer ours is said once, when the last of it has stopped.
    if (owned !== undefined && !owned.has(group)) continue;
    if (!sameGroup(ledger.groups.get(group), now)) groups.push(now);
  }
  for (const [group, told] of ledger.groups) {
    if (current.has(group)) continue;
    if (view.desired?.complete) {
      if (!stopping) stopped.push({ group, epoch: told.epoch });
    }
    // Not known whether it is still ours: only that nothing of it runs.
    else if (told.running > 0 || told.failed.length > 0) groups.push({ ...told, running: 0, failed: [] });
  }
  const fenced = view.carriedEpoch > ledger.fencedEpoch;
  if (groups.length + stopped.length === 0 && !fenced) return undefined;
  return {
    agent: view.agent,
    epoch: fenced ? view.carriedEpoch : view.epoch,
    groups: groups.slice(0, REPORT_GROUPS_MAX),
    stopped: stopped.slice(0, REPORT_GROUPS_MAX),
    fenced,
  };
}

/** The ledger once a report was accepted. Stale groups count as told: saying it again would have no effect either. */
export function acceptReport(ledger: Ledger, sent: Report): Ledger {
  const groups = new Map(ledger.groups);
  for (const group of sent.groups) groups.set(group.group, group);
  for (const { group } of sent.stopped) groups.delete(group);
  return { groups, fencedEpoch: sent.fenced ? Math.max(ledger.fencedEpoch, sent.epoch) : ledger.fencedEpoch };
}

/** Groups that this host believes to own, and the control plane says have moved on. */
export function disputed(sent: Report, answer: z.output<typeof ReportAnswer>): string[] {
  const claimed = new Set(sent.groups.filter((g) => g.running > 0).map((g) => g.group));
  return answer.stale.filter((group) => claimed.has(group));
}

/** Groups with anything to say about: something of them runs, fails or is stopping here, or was told to run here. */
function currentGroups(view: ReportView): Map<string, ReportedGroup> {
  const groups = new Map<string, ReportedGroup>();
  const ensure = (group: string, epoch: number): ReportedGroup => {
    const known = groups.get(group) ?? { group, epoch, running: 0, failed: [] };
    groups.set(group, known);
    known.epoch = Math.max(known.epoch, epoch);
    return known;
  };
  for (const { work, state, reason } of view.running.values()) {
    const group = ensure(work.group, work.groupEpoch);
    if (state === 'running') group.running += 1;
    if (state !== 'failed' || group.failed.length >= FAILED_MAX) continue;
    const { tenant, allocation } = work;
    group.failed.push({ tenant, allocation, reason: cut(reason ?? 'failed', REASON_LENGTH_MAX) });
  }
  for (const { work } of view.desired?.items.values() ?? []) ensure(work.group, work.groupEpoch);
  return groups;
}

/** undefined: not known. */
function ownedGroups(desired: Desired | undefined): ReadonlySet<string> | undefined {
  if (!desired?.complete) return undefined;
  return new Set([...desired.items.values()].map(({ work }) => work.group));
}

/** A group nobody was told of and of which nothing runs yet is no news. */
function sameGroup(told: ReportedGroup | undefined, now: ReportedGroup): boolean {
  if (told === undefined) return now.running === 0 && now.failed.length === 0;
  if (told.epoch !== now.epoch || told.running !== now.running) return false;
  return JSON.stringify(told.failed) === JSON.stringify(now.failed);
}
