import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { decodeCursor, encodeCursor } from '../../lib/http/cursor.ts';
import { ACCESS_ROUTES } from '../../lib/http/routes/access.ts';
import { Id, PAGE_SIZE_DEFAULT } from '../../lib/schemas/common.ts';
import { getTenant, listTenants, putTenant } from '../../lib/services/registry/tenants.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
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
      listTenants: async (request) => {
        request.permit({});
        const { cursor, limit = PAGE_SIZE_DEFAULT } = request.query;
        const { items, next } = await listTenants(control, limit, decodeCursor(Id, cursor));
        return {
          status: 200,
          body: { items: [...items], ...(next === undefined ? {} : { next: encodeCursor(next) }) },
        };
      },
      getTenant: async (request) => {
        request.permit({ tenant: request.params.tenant });
        return { status: 200, body: await getTenant(control, request.params.tenant) };
      },
    },
    apiDeps(control, ACCESS_ROUTES),
  );
