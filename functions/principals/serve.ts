import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { ACCESS_ROUTES } from '../../lib/http/routes/access.ts';
import { getPrincipal, setPrincipal } from '../../lib/services/registry/principals.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';

const view = (principal: Awaited<ReturnType<typeof getPrincipal>>) => ({
  id: principal.id,
  status: principal.status,
  ...(principal.reason === undefined ? {} : { reason: principal.reason }),
  ...(principal.changedAt === undefined ? {} : { changedAt: principal.changedAt }),
});

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'principals',
    {
      getPrincipal: async (request) => {
        request.permit({});
        return { status: 200, body: view(await getPrincipal(control, request.params.principal)) };
      },
      revokePrincipal: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        return {
          status: 200,
          body: view(
            await setPrincipal(control, params.principal, 'revoked', body.reason, requesterOf(request)),
          ),
        };
      },
      reinstatePrincipal: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        return {
          status: 200,
          body: view(
            await setPrincipal(control, params.principal, 'active', body.reason, requesterOf(request)),
          ),
        };
      },
    },
    apiDeps(control, ACCESS_ROUTES),
  );
