import { ApiProblem } from '../../lib/client/api-error.ts';
import { patiently } from './rig.ts';
import type { Site } from './site.ts';

/** The outcomes of these calls, each repeated while it is told to come back: where it was placed, or why not. */
export const outcomes = (calls: readonly (() => ReturnType<Site['ask']>)[]): Promise<string[]> =>
  Promise.all(
    calls.map((call) =>
      patiently(call).then(
        ({ body }) => body.resource ?? body.status,
        (error: unknown) => {
          if (error instanceof ApiProblem) return error.code;
          throw error;
        },
      ),
    ),
  );
