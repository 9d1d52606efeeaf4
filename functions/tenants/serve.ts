import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { ACCESS_ROUTES } from '../../lib/http/routes/access.ts';
import { getTenant, putTenant } from '../../lib/services/registry/tenants.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'tenants',
    ACCESS_ROUTES,
    {
      putTenant: async (request) => {
        request.permit({ tenant: request.params.tenant });
        await request.cleared();
        const { created, tenant } = await putTenant(
          control,
          request.params.tenant,
          request.body,
          requesterOf(request),
        );
        return { status: created ? 201 : 200, body: tenant };
      },
      getTenant: async (request) => {
        request.permit({ tenant: request.params.tenant });
        return { status: 200, body: await getTenant(control, request.params.tenant) };
      },
    },
    apiDeps(control),
  );
