import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { BACKUPS_ROUTES } from '../../lib/http/routes/backups.ts';
import { listRuns, requestRun } from '../../lib/services/backup/runs.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'backups',
    BACKUPS_ROUTES,
    {
      listBackups: async (request) => {
        request.permit({});
        return { status: 200, body: { ...(await listRuns(control)) } };
      },
      requestBackup: async (request) => {
        request.permit({});
        await request.cleared();
        return { status: 202, body: await requestRun(control, request.body, requesterOf(request)) };
      },
    },
    apiDeps(control),
  );
