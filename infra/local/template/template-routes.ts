import * as z from 'zod';
import type { Assembly } from './assembly.ts';

/** What API Gateway waits for an integration that sets no timeout, ms. */
const INTEGRATION_TIMEOUT_MS = 30_000;

const Authoriser = z.object({
  AuthorizerType: z.literal('REQUEST'),
  AuthorizerPayloadFormatVersion: z.literal('2.0'),
  EnableSimpleResponses: z.literal(true),
  AuthorizerResultTtlInSeconds: z.int(),
  AuthorizerUri: z.string(),
  IdentitySource: z.array(z.string()),
});
const Route = z.object({
  RouteKey: z.string(),
  Target: z.string(),
  AuthorizationType: z.enum(['NONE', 'CUSTOM']),
  AuthorizerId: z.string().optional(),
});
const Integration = z.object({
  IntegrationType: z.literal('AWS_PROXY'),
  PayloadFormatVersion: z.literal('2.0'),
  IntegrationUri: z.string(),
  TimeoutInMillis: z.int().optional(),
});

const Api = z.object({
  CorsConfiguration: z
    .object({
      AllowOrigins: z.array(z.string()),
      AllowMethods: z.array(z.string()),
      AllowHeaders: z.array(z.string()),
      ExposeHeaders: z.array(z.string()),
      MaxAge: z.int(),
    })
    .optional(),
});
export type LocalCors = z.infer<typeof Api>['CorsConfiguration'];

/** Which web pages may call; undefined if none may. */
export function readCors(assembly: Assembly): LocalCors {
  const [api] = assembly.ofType('AWS::ApiGatewayV2::Api');
  return api === undefined ? undefined : Api.parse(api.properties).CorsConfiguration;
}

export interface LocalAuthoriser {
  readonly functionArn: string;
  readonly identitySources: readonly string[];
  readonly ttlMs: number;
}

export interface LocalRoute {
  /** `METHOD /path/{parameter}` */
  readonly key: string;
  readonly functionArn: string;
  readonly timeoutMs: number;
  readonly authoriser?: LocalAuthoriser;
}

export function readRoutes(assembly: Assembly): LocalRoute[] {
  const integrations = new Map(
    assembly
      .ofType('AWS::ApiGatewayV2::Integration')
      .map(({ name, properties }) => [`integrations/${name}`, Integration.parse(properties)]),
  );
  const authorisers = readAuthorisers(assembly);
  return assembly.ofType('AWS::ApiGatewayV2::Route').map(({ properties }) => {
    const route = Route.parse(properties);
    const integration = integrations.get(route.Target);
    if (integration === undefined) throw new Error(`route ${route.RouteKey}: no ${route.Target}`);
    const base = {
      key: route.RouteKey,
      functionArn: integration.IntegrationUri,
      timeoutMs: integration.TimeoutInMillis ?? INTEGRATION_TIMEOUT_MS,
    };
    if (route.AuthorizationType === 'NONE') return base;
    const authoriser = authorisers.get(route.AuthorizerId ?? '');
    if (authoriser === undefined) throw new Error(`route ${route.RouteKey}: no authoriser`);
    return { ...base, authoriser };
  });
}

function readAuthorisers(assembly: Assembly): Map<string, LocalAuthoriser> {
  return new Map(
    assembly.ofType('AWS::ApiGatewayV2::Authorizer').map(({ name, properties }) => {
      const shape = Authoriser.parse(properties);
      const functionArn = /\/functions\/(arn:.+)\/invocations$/.exec(shape.AuthorizerUri)?.[1];
      if (functionArn === undefined)
        throw new Error(`authoriser ${name}: ${shape.AuthorizerUri} names no function`);
      const ttlMs = shape.AuthorizerResultTtlInSeconds * 1000;
      return [name, { functionArn, identitySources: shape.IdentitySource, ttlMs }];
    }),
  );
}
