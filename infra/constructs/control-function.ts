import { Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import type { Table } from 'aws-cdk-lib/aws-dynamodb';
import { Effect, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import {
  Alias,
  Architecture,
  Code,
  type IVersion,
  Function as LambdaFunction,
  type LayerVersion,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { POLICY_DIR } from '../bundle.ts';
import type { StageConfig } from '../config.ts';
import type { FunctionName, Permissions } from '../permissions.ts';
import { BUCKETS, type BucketName } from './object-buckets.ts';

export interface Stores {
  readonly state: Table;
  readonly audit: Table;
  readonly signals: Table;
  readonly key: Key;
  readonly sealKeys: readonly Key[];
  readonly buckets: Readonly<Record<BucketName, IBucket>>;
}

export interface ControlFunctionProps {
  readonly name: FunctionName;
  readonly config: StageConfig;
  /** Folder with the bundled `index.js`. */
  readonly bundle: string;
  readonly layer: LayerVersion;
  readonly stores: Stores;
  readonly permissions: Permissions;
  readonly timeoutS: number;
  readonly memoryMiB: number;
  readonly stateMachineArn: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly reservedConcurrency?: number;
}

/** What callers call: the version that is in service. A rollout moves it, and a rollback moves it back. */
const LIVE = 'live';

/** One Lambda with its log group, its alias and a role that holds what its row of PERMISSIONS says. */
export class ControlFunction extends Construct {
  /** For metrics and names; whoever calls it calls `live`. */
  readonly lambda: LambdaFunction;
  readonly live: Alias;

  constructor(scope: Construct, id: string, props: ControlFunctionProps) {
    super(scope, id);
    const { config, permissions } = props;
    const functionName = `labscape-${config.stage}-${props.name}`;
    const logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/aws/lambda/${functionName}`,
      retention: config.logRetentionDays,
      removalPolicy: config.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Labscape ${config.stage}: ${props.name}`,
    });
    this.lambda = new LambdaFunction(this, 'Function', {
      functionName,
      role,
      logGroup,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(props.bundle),
      handler: 'index.handler',
      // Versions stay, so that there is one to go back to.
      currentVersionOptions: {
        removalPolicy: config.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
      },
      layers: [props.layer],
      memorySize: props.memoryMiB,
      timeout: Duration.seconds(props.timeoutS),
      environment: {
        STAGE: config.stage,
        STATE_TABLE: props.stores.state.tableName,
        AUDIT_TABLE: props.stores.audit.tableName,
        POLICY_DIR,
        // Grant and variables belong together.
        ...(permissions.signals === undefined
          ? {}
          : {
              SIGNALS_TABLE: props.stores.signals.tableName,
              REQUEST_LIMITS: JSON.stringify(config.requests),
            }),
        POWERTOOLS_SERVICE_NAME: props.name,
        POWERTOOLS_METRICS_NAMESPACE: 'Labscape',
        POWERTOOLS_LOG_LEVEL: config.logLevel,
        // Grant and variable belong together: who may not call the machine does not know it either.
        ...(permissions.startsRecoveries || permissions.answersTasks
          ? { STATE_MACHINE_ARN: props.stateMachineArn }
          : {}),
        ...bucketNames(props),
        ...(permissions.signsSeals ? { SEAL_KEYS: signingKeys(props).join(',') } : {}),
        ...props.environment,
      },
      ...(props.reservedConcurrency === undefined
        ? {}
        : { reservedConcurrentExecutions: props.reservedConcurrency }),
    });
    logGroup.grantWrite(role);
    for (const statement of statements(props)) role.addToPolicy(statement);
    acknowledgeObjects(role, props);
    this.live = new Alias(this, 'Live', { aliasName: LIVE, version: this.lambda.currentVersion as IVersion });
  }
}

/** What DynamoDB does with a customer's key in the name of its caller. */
const TABLE_KEY_ACTIONS = [
  'Decrypt',
  'DescribeKey',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
].map((name) => `kms:${name}`);

/** What a query of an index starts with in PERMISSIONS. */
const INDEX_QUERY = 'Query:';

/** `ARCHIVE_BUCKET`, `BACKUPS_BUCKET` for whoever may do anything there. */
const bucketNames = ({ config, permissions, stores }: ControlFunctionProps): Record<string, string> =>
  Object.fromEntries(
    BUCKETS.filter((name) => permissions.objects?.[name] !== undefined).flatMap((name) => [
      [`${name.toUpperCase()}_BUCKET`, stores.buckets[name].bucketName],
      ...(name === 'archive'
        ? [
            ['ARCHIVE_LOCK', config.archive.lock],
            ['ARCHIVE_RETENTION_DAYS', String(config.archive.retentionDays)],
          ]
        : []),
    ]),
  );

/** Of the seal keys the newest, and the one before it, which announces it. */
const signingKeys = ({ stores }: ControlFunctionProps): string[] =>
  stores.sealKeys.slice(-2).map((key) => key.keyArn);

/** The ARN as the stack of functions will see it: by a name that is known before the synth ends. */
const exportedArn = (bucket: IBucket): string => Stack.of(bucket).exportValue(bucket.bucketArn);

/** Beside the statement that it is about, so that neither stays without the other. */
function acknowledgeObjects(role: Role, { permissions, stores }: ControlFunctionProps): void {
  for (const bucket of BUCKETS.filter((name) => permissions.objects?.[name] !== undefined)) {
    const arn = Stack.of(role).resolve(exportedArn(stores.buckets[bucket]));
    Validations.of(role).acknowledge({
      id: `AwsSolutions-IAM5[Resource::${arn['Fn::ImportValue']}/*]`,
      reason: `Objects of the bucket ${bucket} are named when they are written: a role can only name all that is in it.`,
    });
  }
}

/** Actions on the objects of a bucket, and its list. */
function bucketStatements({ permissions, stores }: ControlFunctionProps): PolicyStatement[] {
  const rows = BUCKETS.flatMap((name) => {
    const actions = permissions.objects?.[name];
    return actions === undefined ? [] : [{ name, actions, bucket: stores.buckets[name] }];
  });
  const { key } = stores;
  return [
    ...rows.flatMap(({ name, actions, bucket }) => [
      allow(
        `${name}Objects`,
        actions.filter((action) => action !== 'ListBucket').map((action) => `s3:${action}`),
        [`${exportedArn(bucket)}/*`],
      ),
      allow(`${name}List`, actions.includes('ListBucket') ? ['s3:ListBucket'] : [], [bucket.bucketArn]),
    ]),
    new PolicyStatement({
      sid: 'ObjectKey',
      actions: rows.length === 0 ? [] : ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: [key.keyArn],
      conditions: { StringEquals: { 'kms:ViaService': `s3.${Stack.of(key).region}.amazonaws.com` } },
    }),
  ];
}

function statements(props: ControlFunctionProps): PolicyStatement[] {
  const { state, audit, signals, key } = props.stores;
  const { permissions } = props;
  const actions = (names: readonly string[]) => names.map((name) => `dynamodb:${name}`);
  const all = [
    ...tableStatements('State', state, permissions.state),
    ...tableStatements('Audit', audit, permissions.audit),
    ...tableStatements('Signals', signals, permissions.signals ?? []),
    new PolicyStatement({
      sid: 'EventsAreNeverChanged',
      effect: Effect.DENY,
      actions: actions(['UpdateItem', 'DeleteItem', 'BatchWriteItem']),
      resources: [audit.tableArn],
    }),
    new PolicyStatement({
      sid: 'TableKey',
      actions: TABLE_KEY_ACTIONS,
      resources: [key.keyArn],
      conditions: { StringEquals: { 'kms:ViaService': `dynamodb.${Stack.of(key).region}.amazonaws.com` } },
    }),
    ...bucketStatements(props),
    allow('SignSeals', permissions.signsSeals ? ['kms:GetPublicKey', 'kms:Sign'] : [], signingKeys(props)),
    allow('StartRecoveries', permissions.startsRecoveries ? ['states:StartExecution'] : [], [
      props.stateMachineArn,
    ]),
    // A token names its task, so the machine is the only resource these calls can be narrowed to.
    allow(
      'AnswerTasks',
      (permissions.answersTasks ?? []).map((name) => `states:${name}`),
      [props.stateMachineArn],
    ),
  ];
  return all.filter((statement) => statement.actions.length > 0);
}

const allow = (sid: string, actions: string[], resources: string[]) =>
  new PolicyStatement({ sid, actions, resources });

/** Plain actions on the table itself, and queries on those of its indexes that are named. */
function tableStatements(name: string, table: Table, actions: readonly string[]): PolicyStatement[] {
  const indexes = actions.filter((action) => action.startsWith(INDEX_QUERY));
  const plain = actions.filter((action) => !action.startsWith(INDEX_QUERY));
  return [
    allow(
      `${name}Items`,
      plain.map((action) => `dynamodb:${action}`),
      [table.tableArn],
    ),
    allow(
      `${name}Indexes`,
      indexes.length === 0 ? [] : ['dynamodb:Query'],
      indexes.map((action) => `${table.tableArn}/index/${action.slice(INDEX_QUERY.length)}`),
    ),
  ];
}
