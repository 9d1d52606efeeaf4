import { type Route, routeKeyOf } from './routes/route.ts';
import { ROUTES } from './routes.ts';
import { plainKeyOf } from './signed-key.ts';

const ALL: ReadonlyMap<string, Route> = new Map(ROUTES.map((route) => [routeKeyOf(route), route]));

/** Cedar action of a route; undefined if there is no such route, or nobody needs a right to it. */
export function actionOf(routeKey: string): string | undefined {
  const action = ALL.get(plainKeyOf(routeKey))?.action;
  return action === 'public' ? undefined : action;
}

/** Whether it tells by itself, without a nonce, that it has heard a request before. */
export const guardsReplays = (routeKey: string): boolean =>
  ALL.get(plainKeyOf(routeKey))?.guardsReplays === true;
