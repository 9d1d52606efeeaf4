import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { LABSCAPES_ROUTES } from '../../lib/http/routes/labscapes.ts';
import { beat } from '../../lib/services/health/heartbeat.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { apiDeps } from '../runtime.ts';

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'heartbeats',
    LABSCAPES_ROUTES,
    {
      beat: async (request) => {
        request.permit({ labscape: request.params.labscape });
        await request.cleared();
        return {
          status: 200,
          body: await beat(control, request.params.labscape, request.body, request.requestId),
        };
      },
    },
    apiDeps(control),
  );
