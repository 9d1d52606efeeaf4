import { Logger } from '@aws-lambda-powertools/logger';
import type {
  APIGatewayRequestAuthorizerEventV2,
  APIGatewaySimpleAuthorizerWithContextResult,
} from 'aws-lambda';
import { actionOf, guardsReplays } from '../../lib/http/route-table.ts';
import type { BreakGlassKey } from '../../lib/schemas/signing.ts';
import type { Verdict } from '../../lib/security/authorise.ts';
import { authoriseSigned, type Use } from '../../lib/security/authorise-signed.ts';
import { lazily } from '../../lib/security/authorizer.ts';
import { processAuthorizer } from '../../lib/security/policy-files.ts';
import { burnNonce, recordBreakGlass } from '../../lib/services/registry/signature-use.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { readPrincipal } from '../../lib/store/access/principals.ts';
import { countBreakGlass } from '../break-glass-metrics.ts';

type Authoriser = (
  event: APIGatewayRequestAuthorizerEventV2,
) => Promise<APIGatewaySimpleAuthorizerWithContextResult<Verdict['context']>>;

/** The function around what it needs from outside. Simple response, payload 2.0. */
export const serve = (control: Runtime, breakGlass: readonly BreakGlassKey[]): Authoriser => {
  const log = new Logger({ serviceName: 'authorise-signed' });
  const deps = {
    clock: control.clock,
    findHolder: (principal: string) => readPrincipal(control.store, principal),
    breakGlass,
    guardsReplays,
    burnNonce: (use: Use) => burnNonce(control, use),
    recordBreakGlass: (use: Use) => {
      const { signed, routeKey, requestId } = use;
      log.warn('break-glass key used', { principal: signed.key.principal, routeKey, requestId });
      countBreakGlass();
      return recordBreakGlass(control, use);
    },
    authorizer: lazily(processAuthorizer),
    actionOf,
    reportPolicyErrors: (errors: readonly string[]) => log.error('policy evaluation failed', { errors }),
  };
  return async ({ requestContext, rawPath, rawQueryString, routeKey, headers = {} }) => {
    const { requestId, domainName, http } = requestContext;
    const verdict = await authoriseSigned(
      {
        ...{ method: http.method, authority: domainName, path: rawPath, query: rawQueryString },
        ...{ headers, routeKey, requestId },
      },
      deps,
    );
    if (!verdict.isAuthorized) log.info('refused', { routeKey, ...verdict.context });
    return verdict;
  };
};
