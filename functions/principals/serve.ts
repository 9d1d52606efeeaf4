import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { decodeCursor, encodeCursor } from '../../lib/http/cursor.ts';
import { ACCESS_ROUTES } from '../../lib/http/routes/access.ts';
import { PAGE_SIZE_DEFAULT, PrincipalId } from '../../lib/schemas/common.ts';
import { explainPrincipalAccess } from '../../lib/services/registry/access.ts';
import { getPrincipal, setPrincipal } from '../../lib/services/registry/principals.ts';
import { addKey, isGood, listHolders, revokeKey } from '../../lib/services/registry/signing-keys.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { requesterOf } from '../requester.ts';
import { apiDeps } from '../runtime.ts';

const view = (principal: Awaited<ReturnType<typeof getPrincipal>>, now: number) => ({
  id: principal.id,
  status: principal.status,
  ...(principal.reason === undefined ? {} : { reason: principal.reason }),
  ...(principal.changedAt === undefined ? {} : { changedAt: principal.changedAt }),
  keys: principal.keys.map(({ x, ...key }) => ({ ...key, publicKey: x, good: isGood(key, now) })),
});

/** The function around what it needs from outside. */
export const serve = (control: Runtime): ApiHandler => {
  const answer = (principal: Awaited<ReturnType<typeof getPrincipal>>) => ({
    status: 200,
    body: view(principal, control.clock.now()),
  });
  return apiHandler(
    'principals',
    ACCESS_ROUTES,
    {
      getPrincipal: async (request) => {
        request.permit({});
        return answer(await getPrincipal(control, request.params.principal));
      },
      revokePrincipal: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        return answer(
          await setPrincipal(control, params.principal, 'revoked', body.reason, requesterOf(request)),
        );
      },
      reinstatePrincipal: async (request) => {
        request.permit({});
        await request.cleared();
        const { params, body } = request;
        return answer(
          await setPrincipal(control, params.principal, 'active', body.reason, requesterOf(request)),
        );
      },
      explainAccess: async (request) => {
        request.permit({});
        await request.cleared();
        return {
          status: 200,
          body: await explainPrincipalAccess(control, request.params.principal, request.body),
        };
      },
      listKeys: async (request) => {
        request.permit({ labscape: request.params.labscape });
        const { cursor, limit = PAGE_SIZE_DEFAULT } = request.query;
        const after = decodeCursor(PrincipalId, cursor);
        const { items, next } = await listHolders(control, request.params.labscape, limit, after);
        const now = control.clock.now();
        return {
          status: 200,
          body: {
            items: items.map((principal) => view(principal, now)),
            ...(next === undefined ? {} : { next: encodeCursor(next) }),
          },
        };
      },
      addKey: async (request) => {
        request.permit({});
        await request.cleared();
        return answer(await addKey(control, request.params.principal, request.body, requesterOf(request)));
      },
      revokeKey: async (request) => {
        request.permit({});
        await request.cleared();
        const { principal, key } = request.params;
        return answer(await revokeKey(control, principal, key, request.body.reason, requesterOf(request)));
      },
    },
    apiDeps(control),
  );
};
