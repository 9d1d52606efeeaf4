import type { ChainHead } from '../../audit/event.ts';
import { find, keys } from '../keys.ts';
import type { Page, Store } from '../store.ts';
import {
  ITEM_VERSION,
  type Item,
  J,
  N,
  num,
  oneOf,
  optNum,
  optStr,
  S,
  str,
  versioned,
} from '../table/attributes.ts';

/** A public key that signs in a principal's name; times in epoch ms. */
export interface SigningKeyRecord {
  /** RFC 7638 thumbprint. */
  readonly id: string;
  /** Raw Ed25519 public key, base64url. */
  readonly x: string;
  readonly addedAt: number;
  readonly expiresAt?: number | undefined;
  readonly revokedAt?: number | undefined;
}

export interface PrincipalRecord {
  readonly id: string;
  readonly status: 'active' | 'revoked';
  readonly reason: string | undefined;
  readonly changedAt: number | undefined;
  readonly keys: readonly SigningKeyRecord[];
  readonly chain: ChainHead;
}

export const decodePrincipal = versioned(
  (item: Item): PrincipalRecord => ({
    id: str(item, 'id'),
    status: oneOf(item, 'status', ['active', 'revoked'] as const),
    reason: optStr(item, 'reason'),
    changedAt: optNum(item, 'changedAt'),
    keys: JSON.parse(optStr(item, 'keys') ?? '[]') as SigningKeyRecord[],
    chain: { rev: num(item, 'rev'), head: str(item, 'head') },
  }),
);

/** The keys, and where those of its labscape are found. */
export const keyAttributes = ({ id, keys: own }: PrincipalRecord): Item =>
  own.length === 0 ? {} : { keys: J(own), findPk: S(find.holders(id.split('.')[0] ?? '')), findSk: S(id) };

export const encodePrincipal = (principal: PrincipalRecord): Item => ({
  ...keys.principal(principal.id),
  v: N(ITEM_VERSION),
  id: S(principal.id),
  status: S(principal.status),
  reason: S(principal.reason ?? ''),
  changedAt: N(principal.changedAt ?? 0),
  ...keyAttributes(principal),
  rev: N(principal.chain.rev),
  head: S(principal.chain.head),
});

export const readPrincipal = async (store: Store, id: string): Promise<PrincipalRecord | undefined> => {
  const item = await store.get(keys.principal(id));
  return item === undefined ? undefined : decodePrincipal(item);
};

/** Only revoked principals need an item: a token of the issuer is enough otherwise. */
export const isRevoked = async (store: Store, principal: string): Promise<boolean> =>
  (await readPrincipal(store, principal))?.status === 'revoked';

/** In the order of their names; by the index, hence maybe a moment behind. */
export const holdersPage = async (
  store: Store,
  labscape: string,
  limit: number,
  after: string | undefined,
): Promise<Page> =>
  store.find({
    KeyConditionExpression: after === undefined ? 'findPk = :pk' : 'findPk = :pk AND findSk > :after',
    ExpressionAttributeValues: {
      ':pk': S(find.holders(labscape)),
      ...(after === undefined ? {} : { ':after': S(after) }),
    },
    Limit: limit,
  });
