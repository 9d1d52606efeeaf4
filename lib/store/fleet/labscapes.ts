import type { ChainHead } from '../../audit/event.ts';
import { DRILL_POLICY_DEFAULT } from '../../schemas/drills.ts';
import type { Policy } from '../../schemas/labscape.ts';
import { REBALANCE_POLICY_DEFAULT } from '../../schemas/rebalance.ts';
import { RETURN_POLICY_DEFAULT } from '../../schemas/return-policy.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import {
  BOOL,
  bool,
  compact,
  ITEM_VERSION,
  type Item,
  J,
  N,
  num,
  opt,
  optStr,
  S,
  str,
  versioned,
} from '../table/attributes.ts';
import { inPartition } from '../table/query.ts';

/** The share of every limit that placement may use, and how often that, or what it follows from, has changed. */
export interface FillState {
  readonly rev: number;
  readonly share: number;
}

export interface LabscapeRecord {
  readonly id: string;
  readonly name: string;
  readonly protocolVersion: string;
  readonly protocolVersions: readonly string[];
  readonly publicKey: string | undefined;
  readonly endpoint: string | undefined;
  readonly weight: number;
  /** Where it keeps data; once given it never changes, so that no picture of it is too old. */
  readonly residency?: string | undefined;
  readonly policy: Policy;
  /** Under fill n+1 only; a working figure, no part of the audited profile. */
  readonly fills?: FillState | undefined;
  readonly maintenance: boolean;
  readonly cfg: number;
  readonly chain: ChainHead;
  readonly joinedAt: number;
}

/** A labscape that joined before its policy spoke of rebalancing, drills, or what comes back, has the default. */
type Late = 'rebalance' | 'drills' | keyof typeof RETURN_POLICY_DEFAULT;
const policyOf = (item: Item): Policy => {
  const policy = JSON.parse(str(item, 'policy')) as Omit<Policy, Late> & Partial<Pick<Policy, Late>>;
  return {
    ...{ rebalance: REBALANCE_POLICY_DEFAULT, drills: DRILL_POLICY_DEFAULT },
    ...RETURN_POLICY_DEFAULT,
    ...policy,
  };
};

export const decodeLabscape = versioned(
  (item: Item): LabscapeRecord => ({
    id: str(item, 'id'),
    name: str(item, 'name'),
    protocolVersion: str(item, 'protocol'),
    protocolVersions: JSON.parse(str(item, 'protocols')) as string[],
    publicKey: optStr(item, 'publicKey'),
    endpoint: optStr(item, 'endpoint'),
    weight: num(item, 'weight'),
    residency: optStr(item, 'residency'),
    policy: policyOf(item),
    fills:
      item['fillRev'] === undefined
        ? undefined
        : { rev: num(item, 'fillRev'), share: num(item, 'fillShare') },
    maintenance: bool(item, 'maintenance'),
    cfg: num(item, 'cfg'),
    chain: { rev: num(item, 'rev'), head: str(item, 'head') },
    joinedAt: num(item, 'joinedAt'),
  }),
);

export const encodeLabscape = (labscape: LabscapeRecord): Item => ({
  ...keys.labscape(labscape.id),
  ...compact({
    v: N(ITEM_VERSION),
    id: S(labscape.id),
    name: S(labscape.name),
    protocol: S(labscape.protocolVersion),
    protocols: J(labscape.protocolVersions),
    publicKey: opt(S, labscape.publicKey),
    endpoint: opt(S, labscape.endpoint),
    weight: N(labscape.weight),
    residency: opt(S, labscape.residency),
    policy: J(labscape.policy),
    fillRev: labscape.fills === undefined ? undefined : N(labscape.fills.rev),
    fillShare: labscape.fills === undefined ? undefined : N(labscape.fills.share),
    maintenance: BOOL(labscape.maintenance),
    cfg: N(labscape.cfg),
    rev: N(labscape.chain.rev),
    head: S(labscape.chain.head),
    joinedAt: N(labscape.joinedAt),
  }),
});

export const readLabscape = async (store: Store, id: string): Promise<LabscapeRecord | undefined> => {
  const item = await store.get(keys.labscape(id));
  return item === undefined ? undefined : decodeLabscape(item);
};

/** All labscapes by id: they share one partition, for they are few and seldom change. */
export const allLabscapes = async (store: Store, consistent = false): Promise<readonly LabscapeRecord[]> => {
  const items = await store.queryAll({
    ...inPartition('LABS'),
    ConsistentRead: consistent,
  });
  return items.map(decodeLabscape);
};
