import { type App, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import {
  AttributeType,
  BillingMode,
  type GlobalSecondaryIndexProps,
  ProjectionType,
  Table,
  TableEncryption,
  type TableProps,
} from 'aws-cdk-lib/aws-dynamodb';
import { Key } from 'aws-cdk-lib/aws-kms';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { StageConfig } from './config.ts';
import { type BucketName, objectBuckets } from './constructs/object-buckets.ts';
import { sealKeys } from './constructs/seal-keys.ts';
import { PeoplePool } from './constructs/user-pool.ts';

export interface StateStackProps extends StackProps {
  readonly config: StageConfig;
}

const string = (name: string) => ({ name, type: AttributeType.STRING });
/** A role names the indexes it may query; see control-function.ts. */
export const STATE_INDEXES = ['byGroup', 'find'] as const;
export const AUDIT_INDEXES = ['byTime'] as const;

const index = (
  indexName: string,
  hash: string,
  range: string,
  projectionType: ProjectionType,
): GlobalSecondaryIndexProps => ({
  indexName,
  projectionType,
  partitionKey: string(hash),
  sortKey: string(range),
});

/** What must outlive every deployment: the tables, the buckets, the key they are encrypted with, and people, if they are ours. */
export class StateStack extends Stack {
  readonly key: Key;
  readonly state: Table;
  readonly audit: Table;
  /** Oldest first. */
  readonly sealKeys: readonly Key[];
  readonly buckets: Readonly<Record<BucketName, IBucket>>;
  /** Absent where the stage names its issuer. */
  readonly people: PeoplePool | undefined;

  constructor(scope: App, id: string, props: StateStackProps) {
    super(scope, id, props);
    const removalPolicy = props.config.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN;
    this.key = new Key(this, 'Key', {
      description: `Labscape ${props.config.stage}: state, audit, archive and backups`,
      enableKeyRotation: true,
      removalPolicy,
    });
    const common = {
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: this.key,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: !props.config.disposable,
      removalPolicy,
    } satisfies Partial<TableProps>;
    this.state = new Table(this, 'State', {
      ...common,
      partitionKey: string('pk'),
      sortKey: string('sk'),
      timeToLiveAttribute: 'ttl',
    });
    // Members and events are written once and listed often: their lists answer without a second read.
    this.state.addGlobalSecondaryIndex(index(STATE_INDEXES[0], 'grp', 'grpSk', ProjectionType.ALL));
    // Recoveries are written at every phase: their index must not be.
    this.state.addGlobalSecondaryIndex(index(STATE_INDEXES[1], 'findPk', 'findSk', ProjectionType.KEYS_ONLY));
    this.audit = new Table(this, 'Audit', {
      ...common,
      partitionKey: string('entity'),
      sortKey: { name: 'rev', type: AttributeType.NUMBER },
    });
    this.people =
      props.config.issuer === undefined ? new PeoplePool(this, 'People', props.config) : undefined;
    this.audit.addGlobalSecondaryIndex(index(AUDIT_INDEXES[0], 'day', 'timeSk', ProjectionType.ALL));
    this.sealKeys = sealKeys(this, props.config);
    this.buckets = objectBuckets(this, props.config, this.key);
  }
}
