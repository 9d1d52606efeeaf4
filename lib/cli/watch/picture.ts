import type * as z from 'zod';
import { ApiProblem } from '../../client/api-error.ts';
import type { Client } from '../../client/client.ts';
import type { RECOVERY_STATUSES, Recovery } from '../../schemas/recovery.ts';
import type { Status } from '../../schemas/status.ts';

/** The fleet at one moment, with the recoveries that run, and those that ended since the picture before. */
export interface Picture {
  readonly fleet: z.output<typeof Status>;
  readonly recoveries: readonly Recovery[];
}

const UNFINISHED: ReadonlySet<(typeof RECOVERY_STATUSES)[number]> = new Set(['running', 'awaiting-approval']);

/** The fleet, and the recoveries that run or ran at the last look. Raises what the API answers. */
export async function takePicture(client: Client, before: Picture | undefined): Promise<Picture> {
  const fleet = await client.call('getStatus');
  const running = fleet.recoveries.filter(({ status }) => UNFINISHED.has(status)).map(({ id }) => id);
  const unfinished = (before?.recoveries ?? []).filter(({ endedAt }) => endedAt === undefined);
  const ids = [...new Set([...unfinished.map(({ id }) => id), ...running])];
  const recoveries = await Promise.all(
    ids.map((recovery) =>
      client.call('getRecovery', { params: { recovery } }).catch((error: unknown) => {
        // Known to the fleet a moment before its own record can be read.
        if (error instanceof ApiProblem && error.code === 'not-found') return undefined;
        throw error;
      }),
    ),
  );
  return { fleet, recoveries: recoveries.filter((one) => one !== undefined) };
}
