import * as z from 'zod';
import { scanTable } from '../../lib/store/backup/scan.ts';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';
import { required } from '../environment.ts';
import { backupObjects } from '../objects.ts';
import { runtime } from '../runtime.ts';
import { serve } from './serve.ts';

const Policy = z.object({
  everyMinutes: z.int(),
  drillEveryMinutes: z.int(),
  keep: z.int(),
  days: z.int(),
});

const control = runtime();
const client = dynamodbClient();

export const handler = serve(
  { ...control, objects: backupObjects(control.clock), scan: (table) => scanTable(client, table) },
  Policy.parse(JSON.parse(required('BACKUP_POLICY'))),
);
