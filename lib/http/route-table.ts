import { type ApiFunction, ROUTES, type Route } from './routes.ts';

/** As API Gateway names a route: `GET /resources/{resource}`. */
export const routeKeyOf = (route: Route): string => `${route.method} ${route.path}`;

const ALL: ReadonlyMap<string, Route> = new Map(ROUTES.map((route) => [routeKeyOf(route), route]));

/** The routes that one function serves, by route key. */
export function routesOf(fn: ApiFunction): ReadonlyMap<string, Route> {
  return new Map([...ALL].filter(([, route]) => route.function === fn));
}

/** Cedar action of a route; undefined if there is no such route, or nobody needs a right to it. */
export function actionOf(routeKey: string): string | undefined {
  const action = ALL.get(routeKey)?.action;
  return action === 'public' ? undefined : action;
}
