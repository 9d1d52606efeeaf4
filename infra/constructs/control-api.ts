import { CfnOutput, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaAuthorizer, HttpLambdaResponseType } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { ApiFunction, Route } from '../../lib/http/routes.ts';
import { SIGNED_PREFIX } from '../../lib/schemas/signature.ts';
import type { StageConfig } from '../config.ts';

/** How long a decision about one token and route is kept; a revoked principal is refused by the handler at once. */
const AUTHORISER_TTL_S = 30;

/** Who asked is in the functions' own line, by the same request id: tokens and claims stay out of this one. */
const ACCESS_LOG = AccessLogFormat.custom(
  JSON.stringify({
    requestId: '$context.requestId',
    time: '$context.requestTime',
    ip: '$context.identity.sourceIp',
    route: '$context.routeKey',
    status: '$context.status',
    bytes: '$context.responseLength',
    ms: '$context.responseLatency',
    integrationMs: '$context.integrationLatency',
    authoriser: '$context.authorizer.error',
    error: '$context.error.message',
  }),
);

export interface ControlApiProps {
  readonly config: StageConfig;
  readonly routes: readonly Route[];
  readonly handlers: Readonly<Partial<Record<ApiFunction, IFunction>>>;
  readonly authoriser: IFunction;
  /** Of the same routes under SIGNED_PREFIX. */
  readonly signedAuthoriser: IFunction;
}

/** One route of the HTTP API per entry of ROUTES, and one more for signed requests unless it is public. */
export class ControlApi extends Construct {
  readonly api: HttpApi;

  constructor(scope: Construct, id: string, props: ControlApiProps) {
    super(scope, id);
    this.api = new HttpApi(this, 'Api', {
      apiName: `labscape-${props.config.stage}`,
      description: 'Labscape control plane',
      createDefaultStage: false,
    });
    new HttpStage(this, 'Stage', {
      httpApi: this.api,
      autoDeploy: true,
      throttle: { rateLimit: props.config.api.perSecond, burstLimit: props.config.api.burst },
      accessLogSettings: {
        format: ACCESS_LOG,
        destination: new LogGroupLogDestination(
          new LogGroup(this, 'AccessLog', {
            logGroupName: `/aws/vendedlogs/apis/labscape-${props.config.stage}`,
            retention: props.config.logRetentionDays,
            removalPolicy: props.config.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
          }),
        ),
      },
    });
    this.#addRoutes(props);
    new CfnOutput(this, 'Url', { value: this.api.apiEndpoint });
  }

  #addRoutes(props: ControlApiProps): void {
    const authoriser = new HttpLambdaAuthorizer('Authoriser', props.authoriser, {
      responseTypes: [HttpLambdaResponseType.SIMPLE],
      // With the route in the key, a decision for one route never answers for another.
      identitySource: ['$request.header.Authorization', '$context.routeKey'],
      resultsCacheTtl: Duration.seconds(AUTHORISER_TTL_S),
    });
    // Nothing is remembered of a signature: the next request that carries it is a replay.
    const signed = new HttpLambdaAuthorizer('SignedAuthoriser', props.signedAuthoriser, {
      responseTypes: [HttpLambdaResponseType.SIMPLE],
      identitySource: ['$request.header.Signature', '$request.header.Signature-Input'],
      resultsCacheTtl: Duration.seconds(0),
    });
    const open = new HttpNoneAuthorizer();
    const integrations = new Map<ApiFunction, HttpLambdaIntegration>();
    for (const route of props.routes) {
      const handler = props.handlers[route.function];
      if (handler === undefined) throw new Error(`route ${route.operation}: no function ${route.function}`);
      const integration =
        integrations.get(route.function) ??
        // One permission per function instead of one per route keeps the function's policy short.
        new HttpLambdaIntegration(route.function, handler, { scopePermissionToRoute: false });
      integrations.set(route.function, integration);
      this.api.addRoutes({
        path: route.path,
        methods: [HttpMethod[route.method]],
        integration,
        authorizer: route.action === 'public' ? open : authoriser,
      });
      if (route.action === 'public') continue;
      this.api.addRoutes({
        path: `${SIGNED_PREFIX}${route.path}`,
        methods: [HttpMethod[route.method]],
        integration,
        authorizer: signed,
      });
    }
  }
}
