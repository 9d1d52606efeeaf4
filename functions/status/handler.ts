import { apiHandler } from '../../lib/http/api-handler.ts';
import { openApiDocument } from '../../lib/http/openapi.ts';
import { fleetStatus } from '../../lib/services/status.ts';
import { VERSION } from '../../lib/version.ts';
import { apiDeps, runtime } from '../runtime.ts';

const control = runtime();
let document: unknown;

export const handler = apiHandler(
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
  },
  apiDeps(control),
);
