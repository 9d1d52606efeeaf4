import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { decodeCursor, encodeCursor } from '../../lib/http/cursor.ts';
import { PLANS_ROUTES } from '../../lib/http/routes/plans.ts';
import { RECOVERIES_ROUTES } from '../../lib/http/routes/recoveries.ts';
import { PAGE_SIZE_DEFAULT } from '../../lib/schemas/common.ts';
import { acknowledgeLabscape, acknowledgeResource } from '../../lib/services/recovery/acknowledge.ts';
import { approve } from '../../lib/services/recovery/approval.ts';
import { quote } from '../../lib/services/recovery/ask-quote.ts';
import { answerable, getCapsule } from '../../lib/services/recovery/capsule-view.ts';
import { failTogether } from '../../lib/services/recovery/fail-together.ts';
import { observedIn } from '../../lib/services/recovery/observed-decisions.ts';
import {
  confirmOverride,
  listOverrides,
  proposeOverride,
  withdrawOverride,
} from '../../lib/services/recovery/overrides.ts';

import {
  getRecovery,
  listRecoveries,
  RecoveryPosition,
  recoveryView,
} from '../../lib/services/recovery/recovery-view.ts';

import { cancelRecovery, resumeRecovery } from '../../lib/services/recovery/recovery-words.ts';
import { viewOf } from '../../lib/services/registry/resource-view.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';
import { planOperations } from './plans.ts';

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'recoveries',
    {
      listRecoveries: async (request) => {
        request.permit({});
        const from = decodeCursor(RecoveryPosition, request.query.cursor);
        const { items, next } = await listRecoveries(control, request.query.limit ?? PAGE_SIZE_DEFAULT, from);
        return { status: 200, body: { items, ...(next === undefined ? {} : { next: encodeCursor(next) }) } };
      },
      getRecovery: async (request) => {
        request.permit({});
        return { status: 200, body: recoveryView(await getRecovery(control, request.params.recovery)) };
      },
      getCapsule: async (request) => {
        request.permit({});
        return { status: 200, body: answerable(await getCapsule(control, request.params.recovery)) };
      },
      approveRecovery: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        return {
          status: 200,
          body: await approve(control, params.recovery, body, requesterOf(request)),
        };
      },
      cancelRecovery: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        const cancelled = await cancelRecovery(control, params.recovery, body.reason, requesterOf(request));
        return { status: 202, body: cancelled };
      },
      resumeRecovery: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        const resumed = await resumeRecovery(control, params.recovery, body.reason, requesterOf(request));
        return { status: 202, body: resumed };
      },
      quote: async (request) => {
        request.permit({});
        await request.cleared();
        return { status: 200, body: await quote(control, request.body) };
      },
      failTogether: async (request) => {
        const { params, body } = request;
        request.permit({ labscape: params.labscape });
        await request.cleared();
        const failed = await failTogether(control, params.labscape, body, requesterOf(request));
        return { status: 202, body: failed };
      },
      listObserved: async (request) => {
        const { labscape } = request.params;
        request.permit({ labscape });
        return { status: 200, body: await observedIn(control, labscape) };
      },
      proposeOverride: async (request) => {
        const { params, body } = request;
        request.permit({ labscape: params.labscape });
        await request.cleared();
        const proposed = await proposeOverride(control, params.labscape, body, requesterOf(request));
        return { status: 201, body: proposed };
      },
      listOverrides: async (request) => {
        const { labscape } = request.params;
        request.permit({ labscape });
        return { status: 200, body: { items: await listOverrides(control, labscape) } };
      },
      confirmOverride: async (request) => {
        const { labscape, override } = request.params;
        request.permit({ labscape });
        await request.cleared();
        const { reason } = request.body;
        const confirmed = await confirmOverride(control, labscape, override, reason, requesterOf(request));
        return { status: 200, body: confirmed };
      },
      withdrawOverride: async (request) => {
        const { labscape, override } = request.params;
        request.permit({ labscape });
        await request.cleared();
        const { reason } = request.body;
        const withdrawn = await withdrawOverride(control, labscape, override, reason, requesterOf(request));
        return { status: 200, body: withdrawn };
      },
      acknowledgeLabscape: async (request) => {
        const { params, body } = request;
        request.permit({ labscape: params.labscape });
        await request.cleared();
        const resources = await acknowledgeLabscape(
          control,
          params.labscape,
          body.reason,
          requesterOf(request),
        );
        return { status: 200, body: { resources } };
      },
      acknowledgeResource: async (request) => {
        const { params, body } = request;
        request.permit({ resource: params.resource });
        await request.cleared();
        const resource = await acknowledgeResource(
          control,
          params.resource,
          body.reason,
          requesterOf(request),
        );
        return { status: 200, body: await viewOf(control, resource) };
      },
      ...planOperations(control),
    },
    apiDeps(control, [...RECOVERIES_ROUTES, ...PLANS_ROUTES]),
  );
