import { Logger } from '@aws-lambda-powertools/logger';
import type {
  APIGatewayRequestAuthorizerEventV2,
  APIGatewaySimpleAuthorizerWithContextResult,
} from 'aws-lambda';
import { actionOf } from '../../lib/http/route-table.ts';
import { authorise, type Verdict } from '../../lib/security/authorise.ts';
import { claimsFromEnv, issuerFromEnv } from '../../lib/security/authorise-env.ts';
import { lazily } from '../../lib/security/authorizer.ts';
import { processAuthorizer } from '../../lib/security/policy-files.ts';
import { tokenVerifier } from '../../lib/security/token-verifier.ts';
import { isRevoked } from '../../lib/store/access/principals.ts';
import { runtime } from '../runtime.ts';

const { store, clock } = runtime();
const log = new Logger({ serviceName: 'authorise' });
const deps = {
  verify: tokenVerifier(issuerFromEnv(process.env), { nowMs: () => clock.monotonicMs() }),
  claims: claimsFromEnv(process.env),
  isRevoked: (principal: string) => isRevoked(store, principal),
  authorizer: lazily(processAuthorizer),
  actionOf,
  clock,
  reportPolicyErrors: (errors: readonly string[]) => log.error('policy evaluation failed', { errors }),
};

/** Simple response, payload 2.0. */
export async function handler(
  event: APIGatewayRequestAuthorizerEventV2,
): Promise<APIGatewaySimpleAuthorizerWithContextResult<Verdict['context']>> {
  const authorization = event.headers?.['authorization'];
  const verdict = await authorise({ authorization, routeKey: event.routeKey }, deps);
  const { principal } = verdict.context;
  if (!verdict.isAuthorized) {
    log.info('refused', { routeKey: event.routeKey, principal, code: verdict.context.code });
  }
  return verdict;
}
