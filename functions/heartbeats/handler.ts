import { apiHandler } from '../../lib/http/api-handler.ts';
import { beat } from '../../lib/services/heartbeat.ts';
import { executions } from '../executions.ts';
import { apiDeps, runtime } from '../runtime.ts';

const control = runtime(executions());

export const handler = apiHandler(
  'heartbeats',
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
