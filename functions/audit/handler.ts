import { archiveObjects } from '../objects.ts';
import { runtime, systemClock } from '../runtime.ts';
import { serve } from './serve.ts';

export const handler = serve(runtime(), archiveObjects(systemClock));
