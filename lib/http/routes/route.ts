import type * as z from 'zod';

/** The Lambda functions that serve routes; each is a folder of functions/. */
export const API_FUNCTIONS = [
  'status',
  'labscapes',
  'tenants',
  'principals',
  'resources',
  'allocations',
  'assignments',
  'heartbeats',
  'recoveries',
  'audit',
  'backups',
  'incidents',
] as const;
export type ApiFunction = (typeof API_FUNCTIONS)[number];

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** API Gateway form, `{name}` for a path parameter. */
  readonly path: string;
  readonly operation: string;
  readonly summary: string;
  readonly function: ApiFunction;
  /** Cedar action; `public` needs no token. */
  readonly action: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** It refuses by itself what it has heard before, so signed requests need no nonce kept. */
  readonly guardsReplays?: true;
  /** Answer by status; null is an empty body. */
  readonly answers: Readonly<Record<number, z.ZodType | null>>;
  /** Of its answers; application/json unless given. */
  readonly mediaType?: string;
  /** Its answers are long, alike within and asked for all the time: worth a fifth of a millisecond to shorten. */
  readonly compressed?: true;
  /** Those that succeed are recorded in sums: one line and one metric document for those of a minute. */
  readonly summed?: true;
  readonly headers?: readonly ('idempotency-key' | 'if-match')[];
}

/** As API Gateway names a route: `GET /resources/{resource}`. */
export const routeKeyOf = (route: Route): string => `${route.method} ${route.path}`;
