import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { decodeCursor, encodeCursor } from '../../lib/http/cursor.ts';
import { PAGE_SIZE_DEFAULT } from '../../lib/schemas/common.ts';
import { approve } from '../../lib/services/approval.ts';
import {
  getRecovery,
  listRecoveries,
  RecoveryPosition,
  recoveryView,
} from '../../lib/services/recovery-view.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';

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
      approveRecovery: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        return {
          status: 200,
          body: await approve(control, params.recovery, body.decision, body.reason, requesterOf(request)),
        };
      },
    },
    apiDeps(control),
  );
