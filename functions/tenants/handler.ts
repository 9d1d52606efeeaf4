import { apiHandler } from '../../lib/http/api-handler.ts';
import { getTenant, putTenant } from '../../lib/services/tenants.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps, runtime } from '../runtime.ts';

const control = runtime();

export const handler = apiHandler(
  'tenants',
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
