import type { ChainHead } from '../../audit/event.ts';
import type { Vector } from '../../schemas/common.ts';
import type { QuoteSummary } from '../../schemas/quote.ts';
import {
  type Grace,
  type Move,
  type PendingGroup,
  PHASES,
  type Phase,
  type PhaseResult,
  RECOVERY_STATUSES,
  type RecoveryStatus,
  TRIGGERS,
  type Trigger,
} from '../../schemas/recovery.ts';
import { find, keys, timeKey } from '../keys.ts';
import type { Page, Store } from '../store.ts';
import {
  compact,
  ITEM_VERSION,
  type Item,
  J,
  N,
  num,
  oneOf,
  opt,
  optNum,
  optStr,
  S,
  str,
  versioned,
} from '../table/attributes.ts';
import { absent, attributeEquals, updateInput } from '../table/update.ts';

/** A phase that waits for somebody's answer: `token` completes the state machine's task. */
export interface Waiting {
  readonly phase: Phase;
  readonly since: number;
  readonly token?: string;
  /** What was answered, by whom it was waited for, and when. */
  readonly answer?: string;
  readonly answeredAt?: number;
  /** Why somebody answered so. */
  readonly said?: string;
  /** What a person is asked to approve. */
  readonly quote?: QuoteSummary;
}

export interface RecoveryRecord {
  readonly id: string;
  readonly resource: string;
  readonly labscape: string;
  readonly trigger: Trigger;
  readonly status: RecoveryStatus;
  readonly reason: string;
  readonly nextPhase: Phase | undefined;
  readonly attempt: number;
  readonly epoch: number;
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  readonly silentSince: number | undefined;
  readonly verdictAt: number | undefined;
  readonly phases: readonly PhaseResult[];
  readonly moves: readonly Move[];
  readonly pending: readonly PendingGroup[];
  readonly demand: Vector;
  readonly rehomed: Vector;
  readonly waiting: Waiting | undefined;
  /** The plan for several recoveries at once that its flip followed. */
  readonly joint?: string | undefined;
  /** What was moved off the resource while it still ran. */
  readonly grace?: Grace | undefined;
  /** Why a person called it off: nothing is moved any more. */
  readonly cancel?: string | undefined;
  /** The phase at which it was parked. */
  readonly parkedAt?: Phase | undefined;
  readonly chain: ChainHead;
}

/** All that left the resource, what went while it still ran first. */
export const movedAway = ({ grace, moves }: Pick<RecoveryRecord, 'grace' | 'moves'>): readonly Move[] => [
  ...(grace?.moves ?? []),
  ...moves,
];

/** A move as it is stored: group, new owner, epoch, allocations, demand. All leave the recovery's own resource. */
type PackedMove = readonly [string, string, number, number, number, number, number, number];

const packMove = ({ group, to, epoch, count, demand }: Move): PackedMove => [
  ...([group, to, epoch, count] as const),
  ...([demand.processing, demand.memory, demand.storage, demand.network] as const),
];

const unpackMove = (
  [group, to, epoch, count, processing, memory, storage, network]: PackedMove,
  from: string,
): Move => ({ group, from, to, epoch, count, demand: { processing, memory, storage, network } });

/** One attribute per phase and attempt, so that each phase writes its own result and not everybody's. */
const PHASE = 'phase.';
const phaseAttribute = ({ name, attempt }: PhaseResult): string => `${PHASE}${name}.${attempt}`;

const phasesOf = (item: Item): readonly PhaseResult[] =>
  Object.keys(item)
    .filter((name) => name.startsWith(PHASE))
    .map((name) => parsed<PhaseResult>(item, name))
    .sort((a, b) => a.attempt - b.attempt || PHASES.indexOf(a.name) - PHASES.indexOf(b.name));

const parsed = <T>(item: Item, name: string): T => JSON.parse(str(item, name)) as T;

export const decodeRecovery = versioned((item: Item): RecoveryRecord => {
  const nextPhase = optStr(item, 'nextPhase');
  const waiting = optStr(item, 'waiting');
  const parkedAt = optStr(item, 'parkedAt');
  const resource = str(item, 'resource');
  return {
    id: str(item, 'id'),
    resource,
    labscape: str(item, 'lab'),
    trigger: oneOf(item, 'trigger', TRIGGERS),
    status: oneOf(item, 'status', RECOVERY_STATUSES),
    reason: str(item, 'reason'),
    nextPhase: nextPhase === undefined ? undefined : oneOf(item, 'nextPhase', PHASES),
    attempt: num(item, 'attempt'),
    epoch: num(item, 'epoch'),
    startedAt: num(item, 'startedAt'),
    endedAt: optNum(item, 'endedAt'),
    silentSince: optNum(item, 'silentSince'),
    verdictAt: optNum(item, 'verdictAt'),
    phases: phasesOf(item),
    moves: parsed<PackedMove[]>(item, 'moves').map((packed) => unpackMove(packed, resource)),
    pending: parsed<PendingGroup[]>(item, 'pending'),
    demand: parsed<Vector>(item, 'demand'),
    rehomed: parsed<Vector>(item, 'rehomed'),
    waiting: waiting === undefined ? undefined : (JSON.parse(waiting) as Waiting),
    joint: optStr(item, 'joint'),
    grace: item['grace'] === undefined ? undefined : parsed<Grace>(item, 'grace'),
    cancel: optStr(item, 'cancel'),
    parkedAt: parkedAt === undefined ? undefined : oneOf(item, 'parkedAt', PHASES),
    chain: { rev: num(item, 'rev'), head: str(item, 'head') },
  };
});

/** The attributes that phases change. */
export const recoveryProgress = (recovery: RecoveryRecord): Item =>
  compact({
    status: S(recovery.status),
    reason: S(recovery.reason),
    nextPhase: opt(S, recovery.nextPhase),
    attempt: N(recovery.attempt),
    epoch: N(recovery.epoch),
    endedAt: opt(N, recovery.endedAt),
    ...Object.fromEntries(recovery.phases.map((result) => [phaseAttribute(result), J(result)])),
    moves: J(recovery.moves.map(packMove)),
    pending: J(recovery.pending),
    demand: J(recovery.demand),
    rehomed: J(recovery.rehomed),
    waiting: opt(J, recovery.waiting),
    parkedAt: opt(S, recovery.parkedAt),
    joint: opt(S, recovery.joint),
    grace: opt(J, recovery.grace),
    rev: N(recovery.chain.rev),
    head: S(recovery.chain.head),
  });

/** What differs between two pictures of one recovery: the attributes to write, and those to take away. */
export const recoveryChanges = (
  before: RecoveryRecord,
  after: RecoveryRecord,
): { readonly set: Item; readonly remove: readonly string[] } => {
  const was = recoveryProgress(unshared(before, after));
  const is = recoveryProgress(unshared(after, before));
  const set: Item = {};
  for (const [name, value] of Object.entries(is))
    if (was[name]?.S !== value.S || was[name]?.N !== value.N) set[name] = value;
  return { set, remove: Object.keys(was).filter((name) => is[name] === undefined) };
};

/** Without what `other` holds the very same objects of: nothing of it differs, and to write it out takes time. */
const unshared = (recovery: RecoveryRecord, other: RecoveryRecord): RecoveryRecord => ({
  ...recovery,
  phases: recovery.phases.filter((result) => !other.phases.includes(result)),
  moves: recovery.moves === other.moves ? [] : recovery.moves,
  pending: recovery.pending === other.pending ? [] : recovery.pending,
});

export const encodeRecovery = (recovery: RecoveryRecord): Item => ({
  ...keys.recovery(recovery.id),
  ...compact({
    v: N(ITEM_VERSION),
    id: S(recovery.id),
    resource: S(recovery.resource),
    lab: S(recovery.labscape),
    trigger: S(recovery.trigger),
    startedAt: N(recovery.startedAt),
    silentSince: opt(N, recovery.silentSince),
    verdictAt: opt(N, recovery.verdictAt),
    findPk: S(find.recoveries),
    findSk: S(`${timeKey(recovery.startedAt)}#${recovery.id}`),
  }),
  ...recoveryProgress(recovery),
});

export const readRecovery = async (store: Store, id: string): Promise<RecoveryRecord | undefined> => {
  const item = await store.get(keys.recovery(id));
  return item === undefined ? undefined : decodeRecovery(item);
};

/** Newest first; by the index, hence maybe a moment behind. */
export const recoveriesPage = async (store: Store, limit: number, from: Item | undefined): Promise<Page> =>
  store.find({
    KeyConditionExpression: 'findPk = :pk',
    ExpressionAttributeValues: { ':pk': S(find.recoveries) },
    ScanIndexForward: false,
    Limit: limit,
    ...(from === undefined ? {} : { ExclusiveStartKey: from }),
  });

/**
 * Replaces what the recovery waits for, unless it was replaced meanwhile: an answer is taken once. Nor when it was called
 * off meanwhile: who does that ends the wait by the token that they see.
 */
export const exchangeWaiting = async (
  store: Store,
  recovery: RecoveryRecord,
  next: Waiting,
): Promise<boolean> => {
  return store.write(
    updateInput({
      table: store.tables.state,
      key: keys.recovery(recovery.id),
      set: { waiting: J(next) },
      conditions: [
        attributeEquals('waiting', J(recovery.waiting)),
        ...(recovery.cancel === undefined ? [absent('cancel')] : []),
      ],
    }),
  );
};
