import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { Statement } from './iam.ts';
import { Resolver, type ResourceShape, type Stack, TemplateShape } from './intrinsics.ts';

const KeySchema = z.array(z.object({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) }));
const TableShape = z.object({
  AttributeDefinitions: z.array(z.object({ AttributeName: z.string(), AttributeType: z.string() })),
  KeySchema,
  BillingMode: z.literal('PAY_PER_REQUEST'),
  GlobalSecondaryIndexes: z
    .array(
      z.object({
        IndexName: z.string(),
        KeySchema,
        Projection: z.object({ ProjectionType: z.string() }),
      }),
    )
    .default([]),
  TimeToLiveSpecification: z.object({ AttributeName: z.string(), Enabled: z.boolean() }).optional(),
});
export interface LocalTable extends z.infer<typeof TableShape> {
  readonly name: string;
  readonly arn: string;
}

const FunctionShape = z.object({
  Code: z.object({ S3Key: z.string() }),
  Handler: z.string().regex(/^\w+\.\w+$/),
  Environment: z.object({ Variables: z.record(z.string(), z.string()) }),
  Layers: z.array(z.string()).default([]),
  MemorySize: z.int(),
  Timeout: z.int(),
  Role: z.string(),
});
export interface LocalFunction {
  /** Logical id: unique over the template, stable over deployments. */
  readonly id: string;
  readonly name: string;
  readonly arn: string;
  readonly codeDir: string;
  readonly layerDirs: readonly string[];
  /** `FILE.EXPORT`. */
  readonly handler: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly memoryMiB: number;
  readonly timeoutS: number;
  readonly roleArn: string;
  readonly statements: readonly Statement[];
}

const AuthoriserShape = z.object({
  AuthorizerType: z.literal('REQUEST'),
  AuthorizerPayloadFormatVersion: z.literal('2.0'),
  EnableSimpleResponses: z.literal(true),
  AuthorizerResultTtlInSeconds: z.int(),
  AuthorizerUri: z.string(),
  IdentitySource: z.array(z.string()),
});
export interface LocalAuthoriser {
  readonly functionArn: string;
  readonly identitySources: readonly string[];
  readonly ttlMs: number;
}

const RouteShape = z.object({
  RouteKey: z.string(),
  Target: z.string(),
  AuthorizationType: z.enum(['NONE', 'CUSTOM']),
  AuthorizerId: z.string().optional(),
});
const IntegrationShape = z.object({
  IntegrationType: z.literal('AWS_PROXY'),
  PayloadFormatVersion: z.literal('2.0'),
  IntegrationUri: z.string(),
  TimeoutInMillis: z.int().optional(),
});
export interface LocalRoute {
  /** `METHOD /path/{parameter}` */
  readonly key: string;
  readonly functionArn: string;
  readonly timeoutMs: number;
  readonly authoriser?: LocalAuthoriser;
}
/** What API Gateway waits for an integration that sets no timeout, ms. */
const INTEGRATION_TIMEOUT_MS = 30_000;

const MachineShape = z.object({ DefinitionString: z.string() });
export interface LocalMachine {
  readonly name: string;
  readonly arn: string;
  /** Amazon States Language, as JSON. */
  readonly definition: string;
}

const RuleShape = z.object({
  ScheduleExpression: z.string(),
  State: z.string().optional(),
  Targets: z.array(z.object({ Arn: z.string() })),
});
export interface LocalSchedule {
  readonly name: string;
  readonly everyMs: number;
  readonly functionArns: readonly string[];
}

/** Everything in the templates that the local host hosts. */
export interface LocalTemplate {
  readonly tables: readonly LocalTable[];
  readonly functions: readonly LocalFunction[];
  readonly routes: readonly LocalRoute[];
  readonly machines: readonly LocalMachine[];
  readonly schedules: readonly LocalSchedule[];
}

/** Reads the assembly that `cdk synth` left in `dir`. `parameters` are CloudFormation parameters by name. */
export function readTemplate(dir: string, parameters: Readonly<Record<string, string>> = {}): LocalTemplate {
  const stacks = readStacks(dir);
  const resolver = new Resolver(stacks, parameters);
  const all = stacks.flatMap((stack) =>
    Object.entries(stack.template.Resources).map(([id, resource]) => ({ stack, id, resource })),
  );
  const ofType = <T>(type: string, read: (properties: unknown, id: string, stack: Stack) => T): T[] =>
    all
      .filter(({ resource }) => resource.Type === type)
      .map(({ stack, id, resource }) => read(resolver.resolve(resource.Properties, stack), id, stack));

  const assets = readAssets(dir);
  const layers = new Map(
    ofType('AWS::Lambda::LayerVersion', (properties, id, stack) => {
      const { Content } = z.object({ Content: z.object({ S3Key: z.string() }) }).parse(properties);
      return [resolver.arnOf(id, stack), asset(assets, Content.S3Key)] as const;
    }),
  );
  return {
    tables: ofType('AWS::DynamoDB::Table', (properties, id, stack) => ({
      ...TableShape.parse(properties),
      name: resolver.nameOf(id, stack),
      arn: resolver.arnOf(id, stack),
    })),
    functions: ofType('AWS::Lambda::Function', (properties, id, stack) => {
      const shape = FunctionShape.parse(properties);
      return {
        id,
        name: resolver.nameOf(id, stack),
        arn: resolver.arnOf(id, stack),
        codeDir: asset(assets, shape.Code.S3Key),
        layerDirs: shape.Layers.map((arn) => layers.get(arn) ?? fail(`no layer ${arn}`)),
        handler: shape.Handler,
        environment: shape.Environment.Variables,
        memoryMiB: shape.MemorySize,
        timeoutS: shape.Timeout,
        roleArn: shape.Role,
        statements: readStatements(all, resolver, shape.Role),
      };
    }),
    routes: readRoutes(ofType, resolver),
    machines: ofType('AWS::StepFunctions::StateMachine', (properties, id, stack) => ({
      name: resolver.nameOf(id, stack),
      arn: resolver.arnOf(id, stack),
      definition: MachineShape.parse(properties).DefinitionString,
    })),
    schedules: ofType('AWS::Events::Rule', (properties, id, stack) => {
      const rule = RuleShape.parse(properties);
      return {
        name: resolver.nameOf(id, stack),
        everyMs: rateMs(rule.ScheduleExpression),
        functionArns: rule.Targets.map((target) => target.Arn),
      };
    }),
  };
}

function readStacks(dir: string): Stack[] {
  const suffix = '.template.json';
  const stacks = readdirSync(dir)
    .filter((file) => file.endsWith(suffix))
    .map((file) => ({
      name: file.slice(0, -suffix.length),
      template: TemplateShape.parse(JSON.parse(readFileSync(join(dir, file), 'utf8'))),
    }));
  return stacks.length > 0 ? stacks : fail(`no templates in ${dir}: run cdk synth`);
}

/** Folder of each asset by the key under which a deployment would upload it. */
function readAssets(dir: string): Map<string, string> {
  const Manifest = z.object({
    files: z.record(
      z.string(),
      z.object({
        source: z.object({ path: z.string() }),
        destinations: z.record(z.string(), z.object({ objectKey: z.string() })),
      }),
    ),
  });
  const assets = new Map<string, string>();
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.assets.json')))
    for (const entry of Object.values(
      Manifest.parse(JSON.parse(readFileSync(join(dir, file), 'utf8'))).files,
    ))
      for (const { objectKey } of Object.values(entry.destinations))
        assets.set(objectKey, join(dir, entry.source.path));
  return assets;
}

const asset = (assets: Map<string, string>, key: string) => assets.get(key) ?? fail(`no asset ${key}`);

function readStatements(
  all: readonly { stack: Stack; id: string; resource: ResourceShape }[],
  resolver: Resolver,
  roleArn: string,
): Statement[] {
  const Document = z.object({ Statement: z.array(Statement) });
  const Policy = z.object({ PolicyDocument: Document, Roles: z.array(z.string()) });
  const Role = z.object({
    ManagedPolicyArns: z.array(z.unknown()).length(0, 'managed policies are not emulated').default([]),
    Policies: z.array(z.object({ PolicyDocument: Document })).default([]),
  });
  return all.flatMap(({ stack, id, resource }) => {
    if (resource.Type === 'AWS::IAM::Role' && resolver.arnOf(id, stack) === roleArn)
      return Role.parse(resolver.resolve(resource.Properties, stack)).Policies.flatMap(
        (policy) => policy.PolicyDocument.Statement,
      );
    if (resource.Type !== 'AWS::IAM::Policy') return [];
    const policy = Policy.parse(resolver.resolve(resource.Properties, stack));
    const attached = policy.Roles.some((name) => roleArn.endsWith(`:role/${name}`));
    return attached ? policy.PolicyDocument.Statement : [];
  });
}

type OfType = <T>(type: string, read: (properties: unknown, id: string, stack: Stack) => T) => T[];

function readRoutes(ofType: OfType, resolver: Resolver): LocalRoute[] {
  const integrations = new Map(
    ofType('AWS::ApiGatewayV2::Integration', (properties, id, stack) => [
      `integrations/${resolver.nameOf(id, stack)}`,
      IntegrationShape.parse(properties),
    ]),
  );
  const authorisers = new Map(
    ofType('AWS::ApiGatewayV2::Authorizer', (properties, id, stack) => {
      const shape = AuthoriserShape.parse(properties);
      const functionArn =
        /\/functions\/(arn:.+)\/invocations$/.exec(shape.AuthorizerUri)?.[1] ??
        fail(`authoriser ${id}: ${shape.AuthorizerUri} names no function`);
      const ttlMs = shape.AuthorizerResultTtlInSeconds * 1000;
      return [
        resolver.nameOf(id, stack),
        { functionArn, identitySources: shape.IdentitySource, ttlMs },
      ] as const;
    }),
  );
  return ofType('AWS::ApiGatewayV2::Route', (properties) => {
    const route = RouteShape.parse(properties);
    const integration = integrations.get(route.Target) ?? fail(`route ${route.RouteKey}: no ${route.Target}`);
    const base = {
      key: route.RouteKey,
      functionArn: integration.IntegrationUri,
      timeoutMs: integration.TimeoutInMillis ?? INTEGRATION_TIMEOUT_MS,
    };
    if (route.AuthorizationType === 'NONE') return base;
    const authoriser = authorisers.get(route.AuthorizerId ?? '');
    return authoriser === undefined
      ? fail(`route ${route.RouteKey}: no authoriser`)
      : { ...base, authoriser };
  });
}

function rateMs(expression: string): number {
  const match = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression);
  const unitMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
  if (match === null) return fail(`schedule ${expression} is not emulated`);
  return Number(match[1]) * unitMs[z.enum(['minute', 'hour', 'day']).parse(match[2])];
}

function fail(message: string): never {
  throw new Error(message);
}
