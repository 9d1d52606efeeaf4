import { SIGNED_PREFIX } from '../schemas/signing.ts';
import { type ApiFunction, ROUTES, type Route } from './routes.ts';

/** As API Gateway names a route: `GET /resources/{resource}`. */
export const routeKeyOf = (route: Route): string => `${route.method} ${route.path}`;

const ALL: ReadonlyMap<string, Route> = new Map(ROUTES.map((route) => [routeKeyOf(route), route]));

/** `POST /signed/…`: the same route, for signed requests. */
const SIGNED_KEY = new RegExp(`^([A-Z]+) ${SIGNED_PREFIX}(/.*)$`);

export const isSignedKey = (routeKey: string): boolean => SIGNED_KEY.test(routeKey);

/** The route that a key names, signed or not. */
export const plainKeyOf = (routeKey: string): string => routeKey.replace(SIGNED_KEY, '$1 $2');

/** Whether it tells by itself, without a nonce, that it has heard a request before. */
export const guardsReplays = (routeKey: string): boolean =>
  ALL.get(plainKeyOf(routeKey))?.guardsReplays === true;

/** The routes that one function serves, by route key. */
export function routesOf(fn: ApiFunction): ReadonlyMap<string, Route> {
  return new Map([...ALL].filter(([, route]) => route.function === fn));
}

/** Cedar action of a route; undefined if there is no such route, or nobody needs a right to it. */
export function actionOf(routeKey: string): string | undefined {
  const action = ALL.get(plainKeyOf(routeKey))?.action;
  return action === 'public' ? undefined : action;
}
