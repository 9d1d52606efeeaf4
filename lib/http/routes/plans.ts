import * as z from 'zod';
import { Id } from '../../schemas/common.ts';
import {
  PlanAnswerInput,
  PlanQuote,
  PlanRun,
  PlanRunInput,
  RecoveryPlan,
  RecoveryPlanInput,
} from '../../schemas/recovery-plan.ts';
import { ReasonInput } from '../../schemas/resource.ts';
import type { Route } from './route.ts';

const plan = z.strictObject({ plan: Id });
const run = z.strictObject({ plan: Id, run: Id });

/** Recovery plans: what is failed over in which order, and the runs of them. */
export const PLANS_ROUTES = [
  {
    method: 'PUT',
    path: '/plans/{plan}',
    operation: 'putPlan',
    summary: 'Write the next version of a recovery plan; If-Match: "0" where there must be none yet',
    function: 'recoveries',
    action: 'operateResources',
    params: plan,
    body: RecoveryPlanInput,
    headers: ['if-match'],
    answers: { 200: RecoveryPlan, 201: RecoveryPlan },
  },
  {
    method: 'GET',
    path: '/plans',
    operation: 'listPlans',
    summary: 'All recovery plans',
    function: 'recoveries',
    action: 'readFleet',
    answers: { 200: z.object({ items: z.array(RecoveryPlan) }) },
  },
  {
    method: 'GET',
    path: '/plans/{plan}',
    operation: 'getPlan',
    summary: 'One recovery plan',
    function: 'recoveries',
    action: 'readFleet',
    params: plan,
    answers: { 200: RecoveryPlan },
  },
  {
    method: 'POST',
    path: '/plans/{plan}/runs',
    operation: 'runPlan',
    summary: 'Run a recovery plan step by step; with dryRun only tell what it would do',
    function: 'recoveries',
    action: 'operateResources',
    params: plan,
    body: PlanRunInput,
    answers: { 200: PlanQuote, 202: PlanRun },
  },
  {
    method: 'GET',
    path: '/plans/{plan}/runs',
    operation: 'listPlanRuns',
    summary: 'The last runs of a plan, newest first',
    function: 'recoveries',
    action: 'readFleet',
    params: plan,
    answers: { 200: z.object({ items: z.array(PlanRun) }) },
  },
  {
    method: 'GET',
    path: '/plans/{plan}/runs/{run}',
    operation: 'getPlanRun',
    summary: 'How far a run has come',
    function: 'recoveries',
    action: 'readFleet',
    params: run,
    answers: { 200: PlanRun },
  },
  {
    method: 'POST',
    path: '/plans/{plan}/runs/{run}/advance',
    operation: 'advancePlanRun',
    summary: 'Take a run as far as it goes now, which the sweep does each minute',
    function: 'recoveries',
    action: 'operateResources',
    params: run,
    answers: { 200: PlanRun },
  },
  {
    method: 'POST',
    path: '/plans/{plan}/runs/{run}/approval',
    operation: 'answerPlanRun',
    summary: 'Let a run go on that asks, or end it',
    function: 'recoveries',
    action: 'operateResources',
    params: run,
    body: PlanAnswerInput,
    answers: { 200: PlanRun },
  },
  {
    method: 'POST',
    path: '/plans/{plan}/runs/{run}/cancel',
    operation: 'cancelPlanRun',
    summary: 'End a run before its next step; recoveries that run go on',
    function: 'recoveries',
    action: 'operateResources',
    params: run,
    body: ReasonInput,
    answers: { 202: PlanRun },
  },
] as const satisfies readonly Route[];
