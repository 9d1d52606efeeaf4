import type { Clock } from '../lib/clock.ts';
import type { ObjectStore } from '../lib/store/objects.ts';
import { type LockMode, S3Objects, s3Client } from '../lib/store/s3-objects.ts';
import { required } from './environment.ts';

/** Apart from runtime.ts, so that S3's client is in the bundles of those alone who need it. */
export const backupObjects = (clock: Clock): ObjectStore =>
  new S3Objects(s3Client(), required('BACKUPS_BUCKET'), clock);

/** Sealed windows of the audit, under Object Lock. */
export const archiveObjects = (clock: Clock): ObjectStore => {
  const lock: LockMode = required('ARCHIVE_LOCK') === 'COMPLIANCE' ? 'COMPLIANCE' : 'GOVERNANCE';
  return new S3Objects(s3Client(), required('ARCHIVE_BUCKET'), clock, lock);
};
