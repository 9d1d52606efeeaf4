import { GROUPS_BORN_MAX, GROUPS_HELD_MAX } from '../../allocation/groups.ts';
import { planTidy, type TidyBounds, type TidyStep, untidyOf } from '../../optimisation/tidy.ts';
import type { RebalanceAnswer } from '../../schemas/rebalance.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { Requester } from '../origin.ts';
import type { Runtime } from '../runtime.ts';
import { wakeFor } from '../waiting/pending-queue.ts';
import { giveOver } from './tidy-steps.ts';
import { readTidy, type Tidy, type TidyView } from './tidy-view.ts';

export interface TidyRequest {
  /** Whose resources take part. */
  readonly labscapes: readonly { readonly id: string; readonly leaseMs: number }[];
  /** The fleet as it was just read. */
  readonly resources: readonly ResourceRecord[];
  /** Of those, the ones that are looked at; all unless given. */
  readonly only?: ReadonlySet<string>;
  readonly dryRun: boolean;
  /** Most transactions. */
  readonly stepsMax: number;
  /** Only what stands in somebody's way: merges where a resource bears no more groups, and what is too large. */
  readonly onlyNeeded: boolean;
}

type Tidied = NonNullable<RebalanceAnswer['tidied']>[number];

export interface TidyAnswer {
  readonly before: number;
  readonly after: number;
  readonly tidied: readonly Tidied[];
  readonly stopped: 'moves' | 'nothing-gains';
  readonly leftAlone: Readonly<Record<string, number>>;
}

interface Planned {
  readonly steps: readonly TidyStep<Tidy>[];
  readonly isWhole: boolean;
}

const transactionsOf = (steps: readonly TidyStep[]): number =>
  steps.reduce((sum, { transactions }) => sum + transactions, 0);

const planFor = ({ resources }: TidyView, { stepsMax, onlyNeeded }: TidyRequest): Planned => {
  // One group fewer than that, and the next one can be born.
  const mergeAbove = onlyNeeded ? GROUPS_BORN_MAX - 1 : 0;
  const steps: TidyStep<Tidy>[] = [];
  for (const resource of resources) {
    const left = stepsMax - transactionsOf(steps);
    if (left <= 0) break;
    const bounds: TidyBounds = { stepsMax: left, mergeAbove };
    steps.push(...planTidy(resource, bounds));
  }
  return { steps, isWhole: transactionsOf(steps) < stepsMax };
};

const whyOf = ({ kind, from, resource, shares }: TidyStep<Tidy>): string =>
  kind === 'merge'
    ? `both hold ${from.group.class} work of one profile, and together ${percent(shares.intoAfter)} of what closes a group on ${resource}`
    : `${from.count} members ask for ${percent(shares.from)} of what closes a group on ${resource}: it moves as a whole`;

const percent = (share: number): string => `${Math.round(100 * share)} %`;

const buysOf = ({ kind, resource, held, shares }: TidyStep<Tidy>): string => {
  const groups = `${resource} holds ${held.after} groups instead of ${held.before}`;
  if (kind === 'split') return `${percent(shares.fromAfter)} are left to move at once; ${groups}`;
  const isRoom = held.before >= GROUPS_BORN_MAX && held.after < GROUPS_BORN_MAX;
  return isRoom ? `${groups}, and one can be born again` : groups;
};

const PLANNED = { outcome: 'planned' } as const;
type Outcome = Pick<Tidied, 'outcome'> &
  Partial<Pick<Tidied, 'reason' | 'members' | 'transactions' | 'into'>>;

const viewOf = (step: TidyStep<Tidy>, outcome: Outcome): Tidied => {
  const { kind, resource, from, into, isNew, isBorn, members, transactions, shares } = step;
  return {
    ...{ kind, resource, class: from.group.class, from: from.id, born: isBorn, members, transactions },
    // A plan's own name for what is not born yet says nothing to anybody else.
    ...(isNew ? {} : { into }),
    before: { from: shares.from, into: shares.into },
    after: { from: shares.fromAfter, into: shares.intoAfter },
    ...{ why: whyOf(step), buys: buysOf(step) },
    ...outcome,
  };
};

/** Carries one step out within what is left of the transactions. `names`: real ids of what was born in this plan. */
const carryOut = async (
  runtime: Runtime,
  step: TidyStep<Tidy>,
  names: Map<string, string>,
  most: number,
  requester: Requester,
): Promise<Outcome & { readonly transactions: number }> => {
  let into = step.isNew ? names.get(step.into) : step.into;
  if (step.isNew && !step.isBorn && into === undefined)
    return { outcome: 'skipped', reason: 'lost-race', members: 0, transactions: 0 };
  let members = 0;
  let transactions = 0;
  while (transactions < Math.min(most, step.transactions)) {
    const given = await giveOver(runtime, step, into, requester);
    if (given.kind === 'skipped') {
      const outcome = members === 0 ? 'skipped' : 'partly';
      return { outcome, reason: given.reason, members, transactions, ...(into && { into }) };
    }
    into = given.into;
    names.set(step.into, into);
    members += given.members;
    transactions += 1;
    const is = { members, transactions, into };
    if (step.kind === 'split' || given.ended) return { outcome: 'done', ...is };
  }
  // As many as were asked for, or members have come since the plan.
  return { outcome: 'partly', reason: 'moves', members, transactions, ...(into && { into }) };
};

/**
 * Merges small groups of one kind on one resource, and splits what is too large, in bounded transactions: the plan, or
 * the plan carried out. No group changes its owner, and no allocation its resource: nothing restarts.
 */
export const tidyGroups = async (
  runtime: Runtime,
  request: TidyRequest,
  requester: Requester,
): Promise<TidyAnswer> => {
  const leases = new Map(request.labscapes.map(({ id, leaseMs }) => [id, leaseMs]));
  const own = request.resources.filter(
    ({ id, labscape, groups }) =>
      leases.has(labscape) && groups.length > 0 && request.only?.has(id) !== false,
  );
  const view = await readTidy(runtime, own, (labscape) => leases.get(labscape) ?? 0);
  const { steps, isWhole } = planFor(view, request);
  const before = view.resources.reduce((total, resource) => total + untidyOf(resource), 0);
  const outcomes: Outcome[] = [];
  const names = new Map<string, string>();
  let left = request.stepsMax;
  for (const step of request.dryRun ? [] : steps) {
    const outcome = await carryOut(runtime, step, names, left, requester);
    outcomes.push(outcome);
    left -= outcome.transactions;
  }
  const shrunk = steps.filter(
    ({ held }, i) =>
      held.after < held.before && outcomes[i]?.outcome === 'done' && held.before >= GROUPS_HELD_MAX,
  );
  for (const { resource: id, from } of shrunk)
    await wakeFor(runtime, { id, labscape: from.group.labscape ?? '' }, requester.request, 'freed');
  const mended = steps.filter(
    ({ mends }, i) => mends && (request.dryRun || outcomes[i]?.outcome === 'done'),
  ).length;
  return {
    ...{ before, after: before - mended, leftAlone: view.leftAlone },
    tidied: steps.map((step, i) => viewOf(step, outcomes[i] ?? PLANNED)),
    stopped: isWhole ? 'nothing-gains' : 'moves',
  };
};
