import { etag } from '../../lib/http/answer.ts';
import type { Operations } from '../../lib/http/api-handler.ts';
import { driveRun } from '../../lib/services/plans/drive.ts';
import { getPlan, listPlans, planView, putPlan } from '../../lib/services/plans/plans.ts';
import { answerRun, beginRun, cancelRun, getRun, listRuns } from '../../lib/services/plans/runs.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { requesterOf } from '../requester.ts';

type PlanOperations = Pick<
  Operations<'recoveries'>,
  | 'putPlan'
  | 'listPlans'
  | 'getPlan'
  | 'runPlan'
  | 'listPlanRuns'
  | 'getPlanRun'
  | 'advancePlanRun'
  | 'answerPlanRun'
  | 'cancelPlanRun'
>;

/** What is asked of recovery plans. */
export const planOperations = (control: Runtime): PlanOperations => ({
  putPlan: async (request) => {
    request.permit({});
    await request.cleared();
    const { params, body, ifMatch } = request;
    const { plan, isNew } = await putPlan(control, params.plan, body, ifMatch, requesterOf(request));
    return { status: isNew ? 201 : 200, body: plan, headers: etag(plan.cfg) };
  },
  listPlans: async (request) => {
    request.permit({});
    return { status: 200, body: { items: await listPlans(control) } };
  },
  getPlan: async (request) => {
    request.permit({});
    const plan = planView(await getPlan(control, request.params.plan));
    return { status: 200, body: plan, headers: etag(plan.cfg) };
  },
  runPlan: async (request) => {
    request.permit({});
    await request.cleared();
    const { params, body } = request;
    const begun = await beginRun(control, params.plan, body, requesterOf(request));
    if ('quote' in begun) return { status: 200, body: begun.quote };
    const { plan, id } = begun.run;
    return { status: 202, body: await driveRun(control, { plan, id }, requesterOf(request)) };
  },
  listPlanRuns: async (request) => {
    request.permit({});
    return { status: 200, body: { items: await listRuns(control, request.params.plan) } };
  },
  getPlanRun: async (request) => {
    request.permit({});
    return { status: 200, body: await getRun(control, request.params.plan, request.params.run) };
  },
  advancePlanRun: async (request) => {
    request.permit({});
    await request.cleared();
    const { plan, run: id } = request.params;
    return { status: 200, body: await driveRun(control, { plan, id }, requesterOf(request)) };
  },
  answerPlanRun: async (request) => {
    request.permit({});
    await request.cleared();
    const { plan, run: id } = request.params;
    await answerRun(control, { plan, id }, request.body, requesterOf(request));
    return { status: 200, body: await driveRun(control, { plan, id }, requesterOf(request)) };
  },
  cancelPlanRun: async (request) => {
    request.permit({});
    await request.cleared();
    const { plan, run: id } = request.params;
    const cancelled = await cancelRun(control, { plan, id }, request.body.reason, requesterOf(request));
    return { status: 202, body: cancelled };
  },
});
