import { routeKeyOf } from './routes/route.ts';
import { ROUTES, type Route } from './routes.ts';

const ALL: ReadonlyMap<string, Route> = new Map(ROUTES.map((route) => [routeKeyOf(route), route]));

/** Cedar action of a route; undefined if there is no such route, or nobody needs a right to it. */
export function actionOf(routeKey: string): string | undefined {
  const action = ALL.get(routeKey)?.action;
  return action === 'public' ? undefined : action;
}
