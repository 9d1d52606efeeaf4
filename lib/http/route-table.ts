import { routeKeyOf } from './routes/route.ts';
import { ROUTES } from './routes.ts';

const ACTIONS: ReadonlyMap<string, string> = new Map(
  ROUTES.map((route) => [routeKeyOf(route), route.action]),
);

/** Cedar action of a route; undefined if there is no such route, or nobody needs a right to it. */
export function actionOf(routeKey: string): string | undefined {
  const action = ACTIONS.get(routeKey);
  return action === 'public' ? undefined : action;
}
