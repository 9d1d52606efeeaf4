import { etag } from '../../lib/http/answer.ts';
import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { decodeCursor, encodeCursor } from '../../lib/http/cursor.ts';
import { LABSCAPES_ROUTES } from '../../lib/http/routes/labscapes.ts';
import { Id, PAGE_SIZE_DEFAULT } from '../../lib/schemas/common.ts';
import {
  editLabscape,
  getLabscape,
  joinLabscape,
  labscapeView,
} from '../../lib/services/registry/labscapes.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { allLabscapes } from '../../lib/store/fleet/labscapes.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler =>
  apiHandler(
    'labscapes',
    LABSCAPES_ROUTES,
    {
      joinLabscape: async (request) => {
        request.permit({ labscape: request.body.id });
        await request.cleared();
        const labscape = await joinLabscape(control, request.body, requesterOf(request));
        return {
          status: 201,
          body: labscape,
          headers: { ...etag(labscape.cfg), location: `/labscapes/${labscape.id}` },
        };
      },
      listLabscapes: async (request) => {
        request.permit({});
        const { cursor, limit = PAGE_SIZE_DEFAULT } = request.query;
        const after = decodeCursor(Id, cursor) ?? '';
        const rest = (await allLabscapes(control.store, true)).filter(({ id }) => id > after);
        const items = rest.slice(0, limit).map(labscapeView);
        const last = items.at(-1)?.id;
        const next = last === undefined || rest.length <= limit ? {} : { next: encodeCursor(last) };
        return { status: 200, body: { items, ...next } };
      },
      getLabscape: async (request) => {
        request.permit({ labscape: request.params.labscape });
        const labscape = await getLabscape(control, request.params.labscape);
        return { status: 200, body: labscapeView(labscape), headers: etag(labscape.cfg) };
      },
      editLabscape: async (request) => {
        request.permit({ labscape: request.params.labscape });
        await request.cleared();
        const { params, body, ifMatch } = request;
        const labscape = await editLabscape(control, params.labscape, body, ifMatch, requesterOf(request));
        return { status: 200, body: labscape, headers: etag(labscape.cfg) };
      },
    },
    apiDeps(control),
  );
