import { etag } from '../../lib/http/answer.ts';
import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { decodeCursor, encodeCursor } from '../../lib/http/cursor.ts';
import { RESOURCES_ROUTES } from '../../lib/http/routes/resources.ts';
import { failback } from '../../lib/services/rebalancing/failback.ts';
import { improve } from '../../lib/services/rebalancing/rebalance.ts';
import { drainResource, failResource } from '../../lib/services/recovery/recovery-start.ts';
import { listResources, ResourcePosition } from '../../lib/services/registry/list-resources.ts';
import { registerResource } from '../../lib/services/registry/register-resource.ts';
import { viewOf } from '../../lib/services/registry/resource-view.ts';
import { editResource, getResource, retireResource } from '../../lib/services/registry/resources.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { wakeFor } from '../../lib/services/waiting/pending-queue.ts';
import { takeBack } from '../../lib/services/waiting/take-back.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'resources',
    {
      registerResource: async (request) => {
        request.permit({ labscape: request.body.labscape });
        await request.cleared();
        const resource = await registerResource(control, request.body, requesterOf(request));
        await wakeFor(control, resource, request.requestId, 'came');
        return {
          status: 201,
          body: await viewOf(control, resource),
          headers: { ...etag(resource.cfg), location: `/resources/${resource.id}` },
        };
      },
      listResources: async (request) => {
        const { labscape, cursor, limit } = request.query;
        request.permit(labscape === undefined ? {} : { labscape });
        const page = await listResources(control, {
          labscape,
          limit,
          from: decodeCursor(ResourcePosition, cursor),
        });
        return {
          status: 200,
          body: { items: page.items, ...(page.next === undefined ? {} : { next: encodeCursor(page.next) }) },
        };
      },
      getResource: async (request) => {
        const resource = await getResource(control, request.params.resource);
        request.permit({ labscape: resource.labscape, resource: resource.id });
        return { status: 200, body: await viewOf(control, resource), headers: etag(resource.cfg) };
      },
      editResource: async (request) => {
        const { params, body, ifMatch } = request;
        request.permit({ resource: params.resource });
        await request.cleared();
        const resource = await editResource(control, params.resource, body, ifMatch, requesterOf(request));
        await wakeFor(control, resource, request.requestId, 'came');
        return { status: 200, body: await viewOf(control, resource), headers: etag(resource.cfg) };
      },
      failResource: async (request) => {
        request.permit({ resource: request.params.resource });
        await request.cleared();
        return {
          status: 202,
          body: await failResource(
            control,
            request.params.resource,
            request.body.reason,
            requesterOf(request),
          ),
        };
      },
      drainResource: async (request) => {
        request.permit({ resource: request.params.resource });
        await request.cleared();
        const { params, body } = request;
        const started = await drainResource(control, params.resource, body, requesterOf(request));
        return { status: 202, body: started };
      },
      activateResource: async (request) => {
        request.permit({ resource: request.params.resource });
        await request.cleared();
        const { params, body } = request;
        const resource = await takeBack(control, params.resource, body.reason, requesterOf(request));
        return { status: 200, body: await viewOf(control, resource) };
      },
      retireResource: async (request) => {
        request.permit({ resource: request.params.resource });
        await request.cleared();
        const { params, body } = request;
        const retired = await retireResource(control, params.resource, body.reason, requesterOf(request));
        return { status: 200, body: await viewOf(control, retired) };
      },
      failBack: async (request) => {
        request.permit({ resource: request.params.resource });
        await request.cleared();
        const { params, body } = request;
        return { status: 200, body: await failback(control, params.resource, body, requesterOf(request)) };
      },
      rebalance: async (request) => {
        request.permit({});
        await request.cleared();
        return { status: 200, body: await improve(control, request.body, requesterOf(request)) };
      },
    },
    apiDeps(control, RESOURCES_ROUTES),
  );
