import type { ChainHead } from '../../audit/event.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
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

export const encodePrincipal = (principal: PrincipalRecord): Item => ({
  ...keys.principal(principal.id),
  v: N(ITEM_VERSION),
  id: S(principal.id),
  status: S(principal.status),
  reason: S(principal.reason ?? ''),
  changedAt: N(principal.changedAt ?? 0),
  keys: J(principal.keys),
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
