import { EMPTY_CHAIN, nextEvent } from '../../lib/audit/event.ts';
import type { AuditEvent } from '../../lib/schemas/audit.ts';
import { putEvent } from '../../lib/store/events.ts';
import { Store } from '../../lib/store/store.ts';
import { dynamodbClient } from '../../lib/store/table/dynamodb-client.ts';
import type { Rig } from './rig.ts';

/** The host's tables without the host: what a test finds no route for. */
export const bareStore = ({ host }: Rig): { readonly store: Store; close(): void } => {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = dynamodbClient({ endpoint: host.engine.url, region: 'us-east-1', credentials });
  const named = (part: string) => host.template.tables.find(({ id }) => id.startsWith(part))?.name ?? '';
  const store = new Store(client, { state: named('State'), audit: named('Audit') });
  return { store, close: () => client.destroy() };
};

/** Events of principals that nobody knows, as if they had happened so long ago: old enough to be sealed. */
export async function happenedBefore(
  rig: Rig,
  names: readonly string[],
  agoMs: number,
): Promise<AuditEvent[]> {
  const { store, close } = bareStore(rig);
  const origin = { actor: 'somebody', request: 'test', at: Date.now() - agoMs };
  const events = names.map((name) =>
    nextEvent(`principal#${name}`, EMPTY_CHAIN, origin, 'principal.revoked', { reason: 'test' }),
  );
  for (const event of events) await store.transact([putEvent(store, event)]);
  close();
  return events;
}
