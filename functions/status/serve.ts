import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { decodeCursor, encodeCursor } from '../../lib/http/cursor.ts';
import { openApiDocument } from '../../lib/http/openapi.ts';
import { SERVICE_ROUTES } from '../../lib/http/routes/service.ts';
import { listDrills } from '../../lib/services/drills/view.ts';
import { fleetStatus } from '../../lib/services/health/status.ts';
import { listReadiness, ReadinessPosition } from '../../lib/services/readiness/view.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { VERSION } from '../../lib/version.ts';
import { apiDeps } from '../runtime.ts';

let document: unknown;

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'status',
    {
      getHealth: async () => ({ status: 200, body: { status: 'ok', version: VERSION } }),
      getOpenApi: async () => {
        document ??= openApiDocument(VERSION);
        return { status: 200, body: document };
      },
      getStatus: async (request) => {
        request.permit({});
        return { status: 200, body: await fleetStatus(control) };
      },
      listDrills: async (request) => {
        request.permit({});
        return { status: 200, body: await listDrills(control, request.params.labscape) };
      },
      listReadiness: async (request) => {
        request.permit({});
        const { labscape, limit, cursor } = request.query;
        const from = decodeCursor(ReadinessPosition, cursor);
        const { next, ...page } = await listReadiness(control, { labscape, limit, from });
        return {
          status: 200,
          body: { ...page, ...(next === undefined ? {} : { next: encodeCursor(next) }) },
        };
      },
    },
    apiDeps(control, SERVICE_ROUTES),
  );
