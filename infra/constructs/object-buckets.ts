import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import type { Key } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  type IBucket,
  ObjectLockRetention,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { StageConfig } from '../config.ts';

/** Buckets that functions may have a part in; see ObjectPermissions. */
export const BUCKETS = ['archive', 'backups'] as const;
export type BucketName = (typeof BUCKETS)[number];

/** Lines about who read and wrote objects, days. */
const ACCESS_LOG_DAYS = 90;
/** A part of an upload that nobody finished, days. */
const UNFINISHED_DAYS = 7;

/**
 * The buckets, on `scope` itself: sealed audit windows under Object Lock, and backups, whose versions outlive a deletion
 * by some days. Both in the customer's key, over TLS alone, and never public.
 */
export function objectBuckets(scope: Construct, config: StageConfig, key: Key): Record<BucketName, IBucket> {
  const shut = {
    blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
    objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
    enforceSSL: true,
    removalPolicy: config.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
  } satisfies BucketProps;
  // The service that writes these lines cannot use a customer's key.
  const accessLog = new Bucket(scope, 'AccessLog', {
    ...shut,
    encryption: BucketEncryption.S3_MANAGED,
    lifecycleRules: [{ expiration: Duration.days(ACCESS_LOG_DAYS) }],
  });
  const common = {
    ...shut,
    encryption: BucketEncryption.KMS,
    encryptionKey: key,
    bucketKeyEnabled: true,
    versioned: true,
    // The CDK's own types disagree where absent is not undefined.
    serverAccessLogsBucket: accessLog as IBucket,
  } satisfies BucketProps;
  const { archive, backups } = config;
  const retained = Duration.days(archive.retentionDays);
  return {
    archive: new Bucket(scope, 'Archive', {
      ...common,
      serverAccessLogsPrefix: 'archive/',
      objectLockDefaultRetention:
        archive.lock === 'COMPLIANCE'
          ? ObjectLockRetention.compliance(retained)
          : ObjectLockRetention.governance(retained),
    }) as IBucket,
    backups: new Bucket(scope, 'Backups', {
      ...common,
      serverAccessLogsPrefix: 'backups/',
      lifecycleRules: [
        {
          noncurrentVersionExpiration: Duration.days(backups.deletedDays),
          expiredObjectDeleteMarker: true,
          abortIncompleteMultipartUploadAfter: Duration.days(UNFINISHED_DAYS),
        },
      ],
    }) as IBucket,
  };
}
