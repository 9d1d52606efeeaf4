import * as z from 'zod';
import { Assembly } from './assembly.ts';
import { type LocalAlarm, readAlarms } from './template-alarms.ts';
import { type LocalFunction, readFunctions } from './template-functions.ts';
import { type LocalCors, type LocalRoute, readCors, readRoutes } from './template-routes.ts';

/** Resource types of the templates that mean nothing on one machine. Any type that is in no list is an error. */
const WITHOUT_EFFECT = new Set([
  'AWS::KMS::Key',
  // Statements about whoever calls from elsewhere, or without TLS; a caller here has a role.
  'AWS::S3::BucketPolicy',
  'AWS::Logs::LogGroup',
  'AWS::Lambda::Permission',
  'AWS::ApiGatewayV2::Api',
  'AWS::ApiGatewayV2::Stage',
  'AWS::SNS::Topic',
  'AWS::SNS::TopicPolicy',
  // Calls name the alias, and the alias is the function: see intrinsics.ts.
  'AWS::Lambda::Alias',
  'AWS::Lambda::Version',
  'AWS::Lambda::EventInvokeConfig',
  'AWS::SQS::Queue',
  'AWS::SQS::QueuePolicy',
  'AWS::CloudWatch::Dashboard',
  'AWS::CodeDeploy::Application',
  'AWS::CodeDeploy::DeploymentGroup',
]);
const EMULATED = new Set([
  'AWS::DynamoDB::Table',
  'AWS::S3::Bucket',
  'AWS::Lambda::Function',
  'AWS::Lambda::LayerVersion',
  'AWS::IAM::Role',
  'AWS::IAM::Policy',
  'AWS::ApiGatewayV2::Route',
  'AWS::ApiGatewayV2::Integration',
  'AWS::ApiGatewayV2::Authorizer',
  'AWS::StepFunctions::StateMachine',
  'AWS::Events::Rule',
  'AWS::CloudWatch::Alarm',
  'AWS::SNS::Subscription',
]);

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
  readonly id: string;
  readonly name: string;
  readonly arn: string;
}

const SIGNING = 'SIGN_VERIFY';
const KeyShape = z.object({ KeyUsage: z.string().optional() });

const BucketShape = z.object({
  ObjectLockConfiguration: z
    .object({ Rule: z.object({ DefaultRetention: z.object({ Days: z.int() }) }) })
    .optional(),
});
export interface LocalBucket {
  readonly name: string;
  readonly arn: string;
  /** How long an object is retained if its writer says nothing, days; absent where there is no Object Lock. */
  readonly lockDays?: number;
}

const MachineShape = z.object({ DefinitionString: z.string() });
export interface LocalMachine {
  readonly name: string;
  readonly arn: string;
  /** Amazon States Language, as JSON. */
  readonly definition: string;
}

const RuleShape = z.object({
  ScheduleExpression: z.string(),
  State: z.literal('ENABLED').default('ENABLED'),
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
  readonly buckets: readonly LocalBucket[];
  /** ARNs of the keys that sign. */
  readonly signingKeys: readonly string[];
  readonly functions: readonly LocalFunction[];
  readonly routes: readonly LocalRoute[];
  /** Web pages that may call the API. */
  readonly cors: LocalCors;
  readonly machines: readonly LocalMachine[];
  readonly schedules: readonly LocalSchedule[];
  readonly alarms: readonly LocalAlarm[];
}

/** Reads the assembly that `cdk synth` left in `dir`. `parameters` are CloudFormation parameters by name. */
export function readTemplate(dir: string, parameters: Readonly<Record<string, string>> = {}): LocalTemplate {
  const assembly = new Assembly(dir, parameters);
  const unknown = assembly.types().filter((type) => !EMULATED.has(type) && !WITHOUT_EFFECT.has(type));
  if (unknown.length > 0) throw new Error(`the template has what is not emulated: ${unknown.join(', ')}`);
  return {
    tables: assembly
      .ofType('AWS::DynamoDB::Table')
      .map(({ id, name, arn, properties }) => ({ ...TableShape.parse(properties), id, name, arn: arn() })),
    buckets: assembly.ofType('AWS::S3::Bucket').map(({ name, arn, properties }) => {
      const lock = BucketShape.parse(properties).ObjectLockConfiguration;
      return {
        name,
        arn: arn(),
        ...(lock === undefined ? {} : { lockDays: lock.Rule.DefaultRetention.Days }),
      };
    }),
    signingKeys: assembly
      .ofType('AWS::KMS::Key')
      .filter(({ properties }) => KeyShape.parse(properties).KeyUsage === SIGNING)
      .map(({ arn }) => arn()),
    functions: readFunctions(assembly),
    routes: readRoutes(assembly),
    cors: readCors(assembly),
    machines: assembly.ofType('AWS::StepFunctions::StateMachine').map(({ name, arn, properties }) => ({
      name,
      arn: arn(),
      definition: MachineShape.parse(properties).DefinitionString,
    })),
    alarms: readAlarms(assembly),
    schedules: assembly.ofType('AWS::Events::Rule').map(({ name, properties }) => {
      const rule = RuleShape.parse(properties);
      return {
        name,
        everyMs: rateMs(rule.ScheduleExpression),
        functionArns: rule.Targets.map((target) => target.Arn),
      };
    }),
  };
}

function rateMs(expression: string): number {
  const match = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression);
  if (match === null) throw new Error(`schedule ${expression} is not emulated`);
  const unitMs = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
  return Number(match[1]) * unitMs[z.enum(['minute', 'hour', 'day']).parse(match[2])];
}
