import * as z from 'zod';
import { AlarmBinding } from '../../lib/schemas/alarm.ts';
import { executions } from '../executions.ts';
import { runtime } from '../runtime.ts';
import { serve } from './serve.ts';

export const handler = serve(runtime(executions()), {
  bindings: z.array(AlarmBinding).parse(JSON.parse(process.env['ALARM_BINDINGS'] ?? '[]')),
  accounts: (process.env['ALARM_ACCOUNTS'] ?? '').split(',').filter((account) => account !== ''),
});
