import { etag } from '../../lib/http/answer.ts';
import { apiHandler } from '../../lib/http/api-handler.ts';
import { editLabscape, getLabscape, joinLabscape, labscapeView } from '../../lib/services/labscapes.ts';
import { allLabscapes } from '../../lib/store/labscapes.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps, runtime } from '../runtime.ts';

const control = runtime();

export const handler = apiHandler(
  'labscapes',
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
      return { status: 200, body: { items: (await allLabscapes(control.store, true)).map(labscapeView) } };
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
