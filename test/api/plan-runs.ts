import { expect } from '@jest/globals';
import type * as z from 'zod';
import type { PlanRun, RecoveryPlanInput } from '../../lib/schemas/recovery-plan.ts';
import { type Rig, until } from './rig.ts';

export const reason = 'the cooling has failed';

type PlanBody = z.input<typeof RecoveryPlanInput>;

export const putPlan = (rig: Rig, plan: string, body: PlanBody, version: number | 'any' = 0) =>
  rig.admin.exchange('putPlan', {
    ...{ params: { plan }, body },
    headers: { 'if-match': version === 'any' ? '*' : `"${version}"` },
  });

export const beginRun = async (rig: Rig, plan: string, quote?: string): Promise<PlanRun> => {
  const body = { reason, ...(quote !== undefined && { quote }) };
  const answer = await rig.admin.call('runPlan', { params: { plan }, body });
  if ('hash' in answer) throw new Error('was only quoted');
  return answer;
};

export const quoteRun = async (rig: Rig, plan: string) => {
  const answer = await rig.admin.call('runPlan', { params: { plan }, body: { reason, dryRun: true } });
  if (!('hash' in answer)) throw new Error('was run');
  return answer;
};

export const advanceRun = (rig: Rig, { plan, id }: PlanRun) =>
  rig.admin.call('advancePlanRun', { params: { plan, run: id } });

/** Drives it until it is so. */
export const driveRun = (rig: Rig, run: PlanRun, is: (now: PlanRun) => boolean): Promise<PlanRun> =>
  until(`run of ${run.plan}`, async () => {
    const now = await advanceRun(rig, run);
    return is(now) ? now : undefined;
  });

export const isOver = ({ endedAt }: PlanRun): boolean => endedAt !== undefined;

/** Its chain is whole; how many events it has. */
export const verifiedPlan = async (rig: Rig, plan: string) => {
  const answer = await rig.admin.call('verifyChain', { query: { entity: `plan#${plan}` } });
  expect([plan, answer.faults, answer.verified]).toEqual([plan, [], true]);
  return answer.events;
};
