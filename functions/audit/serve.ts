import { type ApiHandler, apiHandler } from '../../lib/http/api-handler.ts';
import { decodeCursor, encodeCursor } from '../../lib/http/cursor.ts';
import { AUDIT_ROUTES } from '../../lib/http/routes/audit.ts';
import { PAGE_SIZE_DEFAULT } from '../../lib/schemas/common.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { EventPosition, entityEvents, eventsBetween, verifyEntity } from '../../lib/services/trail/audit.ts';
import { eventFeed, FeedPosition, feedFrom } from '../../lib/services/trail/event-feed.ts';
import { listSeals, proveEvent, SealPosition } from '../../lib/services/trail/proofs.ts';
import type { ObjectStore } from '../../lib/store/objects.ts';
import { sealKeys } from '../../lib/store/seals.ts';
import { apiDeps } from '../runtime.ts';

const DAY_MS = 86_400_000;

/** The function around what it needs from outside. */
export const serve = (control: Runtime, archive: ObjectStore): ApiHandler =>
  apiHandler(
    'audit',
    AUDIT_ROUTES,
    {
      listEvents: async (request) => {
        request.permit({});
        const { entity, from, to, cursor, limit = PAGE_SIZE_DEFAULT } = request.query;
        const position = decodeCursor(EventPosition, cursor);
        const toMs = to ?? control.clock.now();
        const page =
          entity === undefined
            ? await eventsBetween(control, { fromMs: from ?? toMs - DAY_MS, toMs }, limit, position)
            : await entityEvents(control, entity, limit, position);
        return {
          status: 200,
          body: { items: page.items, ...(page.next === undefined ? {} : { next: encodeCursor(page.next) }) },
        };
      },
      followEvents: async (request) => {
        request.permit({});
        const { after, from, limit = PAGE_SIZE_DEFAULT } = request.query;
        const begin = feedFrom(from ?? control.clock.now() - DAY_MS);
        const position = decodeCursor(FeedPosition, after, 'after') ?? begin;
        return { status: 200, body: await eventFeed(control, position, limit, encodeCursor) };
      },
      listSeals: async (request) => {
        request.permit({});
        const { cursor, limit = PAGE_SIZE_DEFAULT } = request.query;
        const { items, next } = await listSeals(control, limit, decodeCursor(SealPosition, cursor));
        return {
          status: 200,
          body: { items, ...(next === undefined ? {} : { next: encodeCursor(next) }) },
        };
      },
      listSealKeys: async (request) => {
        request.permit({});
        return { status: 200, body: { items: [...(await sealKeys(control.store))] } };
      },
      proveEvent: async (request) => {
        request.permit({});
        const { entity, rev } = request.query;
        return { status: 200, body: await proveEvent(control, archive, entity, rev) };
      },
      verifyChain: async (request) => {
        request.permit({});
        return { status: 200, body: await verifyEntity(control, request.query.entity) };
      },
    },
    apiDeps(control),
  );
