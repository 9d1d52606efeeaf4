import type { Client } from '../../client/client.ts';
import type { Change, Step } from './change.ts';
import { canonical } from './fields.ts';

/** Something changed between the diff and its application. */
export class FleetMoved extends Error {
  override readonly name = 'FleetMoved';
}

export interface Applied {
  readonly kind: Change['kind'];
  readonly id: string;
  /** What was done, in words. */
  readonly done: string;
}

const etag = (cfg: number): string => `"${cfg}"`;

/**
 * Carries the changes out, one after the other; `done` hears of each. The first that fails ends it, and its error is
 * thrown: what was done before stays done, and the same file again goes on from there.
 */
export async function applyChanges(
  client: Client,
  changes: readonly Change[],
  reason: string,
  done: (applied: Applied) => void,
): Promise<void> {
  for (const { kind, id, steps } of changes) {
    const words: string[] = [];
    for (const step of steps) words.push(await carryOut(client, id, step, reason));
    if (words.length > 0) done({ kind, id, done: words.join('; ') });
  }
}

async function carryOut(client: Client, id: string, step: Step, reason: string): Promise<string> {
  switch (step.call) {
    case 'join': {
      const { policy } = await client.call('joinLabscape', { body: step.body });
      return `joined, mode ${policy.mode}`;
    }
    case 'edit-labscape': {
      const headers = { 'if-match': etag(step.cfg) };
      await client.call('editLabscape', {
        params: { labscape: id },
        headers,
        body: { ...step.body, reason },
      });
      return 'changed';
    }
    case 'register': {
      await client.call('registerResource', { body: step.body });
      return 'registered';
    }
    case 'edit-resource':
      return editResource(client, id, step, reason);
    case 'put-tenant': {
      await client.call('putTenant', { params: { tenant: id }, body: step.body });
      return 'quota set';
    }
    case 'adopt': {
      const headers = { 'idempotency-key': step.key };
      const { resource, warning } = await client.call('allocate', { headers, body: step.body });
      return `taken over on ${resource ?? 'nothing'}${warning === undefined ? '' : `; ${warning}`}`;
    }
    case 'drain': {
      const { recovery } = await client.call('drainResource', { params: { resource: id }, body: { reason } });
      return `is drained by recovery ${recovery}`;
    }
    case 'retire': {
      await client.call('retireResource', { params: { resource: id }, body: { reason } });
      return 'retired';
    }
  }
}

/** A change of its labscape's fill moves a resource's ETag: what counts is that the fields are as they were shown. */
async function editResource(
  client: Client,
  id: string,
  { seen, body }: Extract<Step, { call: 'edit-resource' }>,
  reason: string,
): Promise<string> {
  const params = { resource: id };
  const { capacity, labels, cfg } = await client.call('getResource', { params });
  if (canonical({ capacity, labels }) !== canonical(seen))
    throw new FleetMoved(`resource ${id} was changed by somebody else since the difference was shown`);
  await client.call('editResource', {
    params,
    headers: { 'if-match': etag(cfg) },
    body: { ...body, reason },
  });
  return 'changed';
}
