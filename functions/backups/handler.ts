import { runtime } from '../runtime.ts';
import { serve } from './serve.ts';

export const handler = serve(runtime());
