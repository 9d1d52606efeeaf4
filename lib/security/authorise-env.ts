import * as z from 'zod';
import { ClaimsMap } from './claims-map.ts';
import type { IssuerConfig } from './token-verifier.ts';

const Environment = z.object({
  ISSUER: z.url(),
  AUDIENCE: z.string().min(1),
  /** Inline key set; empty to fetch the issuer's. */
  JWKS: z.string().default(''),
  STAGE: z.string().min(1),
});

/** Whose tokens are taken, from the function's environment; throws what is missing. */
export function issuerFromEnv(env: Readonly<Record<string, string | undefined>>): IssuerConfig {
  const parsed = Environment.parse(env);
  return { issuer: parsed.ISSUER, audience: parsed.AUDIENCE, jwks: parsed.JWKS, stage: parsed.STAGE };
}

/** How the issuer's claims are read, from the function's environment. */
export function claimsFromEnv(env: Readonly<Record<string, string | undefined>>): ClaimsMap {
  return ClaimsMap.parse(JSON.parse(env['CLAIMS'] || '{}'));
}
