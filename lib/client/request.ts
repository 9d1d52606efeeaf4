import type { Route } from '../http/routes.ts';

/** An operation's input with its types forgotten; `operations.ts` has checked them. */
export interface CallParts {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface BuiltRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Builds a request without sending it. Throws RangeError where the caller left a path parameter out. */
export function buildRequest(
  base: string,
  route: Pick<Route, 'method' | 'path'>,
  parts: CallParts,
  token: string | undefined,
  userAgent: string,
): BuiltRequest {
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = parts.params?.[name];
    // An empty segment would address another route.
    if (value === undefined || value === '') throw new RangeError(`${route.path} needs ${name}`);
    return encodeURIComponent(String(value));
  });
  const url = new URL(`${base.replace(/\/+$/, '')}${path}`);
  for (const [name, value] of Object.entries(parts.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  const body = parts.body === undefined ? undefined : JSON.stringify(parts.body);
  const headers: Record<string, string> = {
    accept: 'application/json, application/problem+json',
    'user-agent': userAgent,
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...parts.headers,
  };
  return { method: route.method, url, headers, body };
}
