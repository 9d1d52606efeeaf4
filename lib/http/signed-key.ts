import { SIGNED_PREFIX } from '../schemas/signature.ts';

/** `POST /signed/…`: the same route, for signed requests. */
const SIGNED_KEY = new RegExp(`^([A-Z]+) ${SIGNED_PREFIX}(/.*)$`);

export const isSignedKey = (routeKey: string): boolean => SIGNED_KEY.test(routeKey);

/** The route that a key names, signed or not. */
export const plainKeyOf = (routeKey: string): string => routeKey.replace(SIGNED_KEY, '$1 $2');
