import * as z from 'zod';
import { BreakGlassKey } from '../../lib/schemas/signing.ts';
import { runtime } from '../runtime.ts';
import { serve } from './serve.ts';

export const handler = serve(
  runtime(),
  z.array(BreakGlassKey).parse(JSON.parse(process.env['BREAK_GLASS'] ?? '[]')),
);
