import { Store } from '../../lib/store/store.ts';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';
import { required } from '../environment.ts';
import { archiveObjects } from '../objects.ts';
import { systemClock } from '../runtime.ts';
import { kmsClient, kmsSigner } from './kms-signer.ts';
import { serve } from './serve.ts';

const DAY_MS = 86_400_000;

export const handler = serve({
  store: new Store(dynamodbClient(), { state: required('STATE_TABLE'), audit: required('AUDIT_TABLE') }),
  objects: archiveObjects(systemClock),
  signer: kmsSigner(kmsClient(), required('SEAL_KEYS').split(',')),
  clock: systemClock,
  retainMs: Number(required('ARCHIVE_RETENTION_DAYS')) * DAY_MS,
});
