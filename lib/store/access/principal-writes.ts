import type { AuditEvent } from '../../schemas/audit.ts';
import { chainEnd, putEvent } from '../events.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { ITEM_VERSION, N, S } from '../table/attributes.ts';
import { chainAt } from '../table/conditions.ts';
import { absent, putNew, type Update, updateItem } from '../table/update.ts';
import type { Write } from '../table/write.ts';
import { encodePrincipal, keyAttributes, type PrincipalRecord } from './principals.ts';

/** Status and keys of a principal, born with the first change; only on the chain as it was seen. */
export const principalWrites = (
  store: Store,
  before: PrincipalRecord | undefined,
  after: PrincipalRecord,
  event: AuditEvent,
): readonly Write[] => [
  before === undefined
    ? putNew('principal', store.tables.state, encodePrincipal(after))
    : updateItem('principal', {
        table: store.tables.state,
        key: keys.principal(after.id),
        set: {
          status: S(after.status),
          reason: S(after.reason ?? ''),
          changedAt: N(after.changedAt ?? 0),
          ...keyAttributes(after),
          ...chainEnd(event),
        },
        conditions: chainAt(before.chain),
      }),
  putEvent(store, event),
];

/** A signature's number, once. `untilS`: epoch seconds; the table forgets it some time after. */
export const nonceUpdate = (store: Store, nonce: NonceRecord): Update => ({
  table: store.tables.state,
  key: keys.nonce(nonce.keyId, nonce.nonce),
  set: { v: N(ITEM_VERSION), by: S(nonce.request), ttl: N(nonce.untilS) },
  conditions: [absent('pk')],
});

export interface NonceRecord {
  readonly keyId: string;
  readonly nonce: string;
  /** The request that used it: one that asks again has merely not heard the answer. */
  readonly request: string;
  readonly untilS: number;
}
