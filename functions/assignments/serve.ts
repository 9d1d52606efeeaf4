import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { decodeCursor, encodeCursor } from '../../lib/http/cursor.ts';
import { RESOURCES_ROUTES } from '../../lib/http/routes/resources.ts';
import { Id } from '../../lib/schemas/common.ts';
import { assignmentsOf } from '../../lib/services/agents/assignments.ts';
import { takeReport } from '../../lib/services/agents/report.ts';
import { getResource } from '../../lib/services/registry/resources.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { apiDeps } from '../runtime.ts';

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'assignments',
    RESOURCES_ROUTES,
    {
      getAssignments: async (request) => {
        const resource = await getResource(control, request.params.resource);
        request.permit({ labscape: resource.labscape, resource: resource.id });
        const { after, wait, cursor } = request.query;
        const found = await assignmentsOf(control, resource.id, {
          after,
          waitS: wait ?? 0,
          from: decodeCursor(Id, cursor),
        });
        if (found === undefined) return { status: 204 };
        const { next, ...page } = found;
        return {
          status: 200,
          body: { ...page, ...(next === undefined ? {} : { next: encodeCursor(next) }) },
        };
      },
      report: async (request) => {
        const resource = await getResource(control, request.params.resource);
        request.permit({ labscape: resource.labscape, resource: resource.id });
        await request.cleared();
        return { status: 200, body: await takeReport(control, resource, request.body) };
      },
    },
    apiDeps(control),
  );
