import { Logger } from '@aws-lambda-powertools/logger';
import type {
  APIGatewayRequestAuthorizerEventV2,
  APIGatewaySimpleAuthorizerWithContextResult,
} from 'aws-lambda';
import * as z from 'zod';
import { actionOf, guardsReplays } from '../../lib/http/route-table.ts';
import { BreakGlassKey } from '../../lib/schemas/signing.ts';
import type { Verdict } from '../../lib/security/authorise.ts';
import { authoriseSigned, type Use } from '../../lib/security/authorise-signed.ts';
import { lazily } from '../../lib/security/authorizer.ts';
import { processAuthorizer } from '../../lib/security/policy-files.ts';
import { burnNonce, recordBreakGlass } from '../../lib/services/registry/signature-use.ts';
import { readPrincipal } from '../../lib/store/access/principals.ts';
import { countBreakGlass } from '../break-glass-metrics.ts';
import { runtime } from '../runtime.ts';

const control = runtime();
const log = new Logger({ serviceName: 'authorise-signed' });

/** Somebody is in without the provider: the metric that the alarm watches, and a line in the log. */
function announce({ signed, routeKey, requestId }: Use): void {
  log.warn('break-glass key used', { principal: signed.key.principal, routeKey, requestId });
  countBreakGlass();
}

const deps = {
  clock: control.clock,
  findHolder: (principal: string) => readPrincipal(control.store, principal),
  breakGlass: z.array(BreakGlassKey).parse(JSON.parse(process.env['BREAK_GLASS'] ?? '[]')),
  guardsReplays,
  burnNonce: (use: Use) => burnNonce(control, use),
  recordBreakGlass: (use: Use) => {
    announce(use);
    return recordBreakGlass(control, use);
  },
  authorizer: lazily(processAuthorizer),
  actionOf,
  reportPolicyErrors: (errors: readonly string[]) => log.error('policy evaluation failed', { errors }),
};

/** Simple response, payload 2.0. */
export async function handler(
  event: APIGatewayRequestAuthorizerEventV2,
): Promise<APIGatewaySimpleAuthorizerWithContextResult<Verdict['context']>> {
  const { requestContext, rawPath, rawQueryString, routeKey, headers = {} } = event;
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
}
