import type { ChainHead } from '../../audit/event.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { BackupRun } from '../../schemas/backup.ts';
import { putEvent } from '../events.ts';
import { keys } from '../keys.ts';
import type { Store } from '../store.ts';
import { ITEM_VERSION, type Item, J, N, num, S, str, versioned } from '../table/attributes.ts';
import { chainAt } from '../table/conditions.ts';
import { attributeEquals, putNew, updateInput, updateItem } from '../table/update.ts';
import type { Write } from '../table/write.ts';

/** A backup or a drill, with its place in the audit. */
export interface RunRecord {
  readonly run: BackupRun;
  readonly chain: ChainHead;
}

/** Looked through for the last good ones: at one a minute more than a day. */
const RUNS_MAX = 2_000;

const encodeRun = ({ run, chain }: RunRecord): Item => ({
  ...keys.backup(run.id),
  v: N(ITEM_VERSION),
  run: J(run),
  rev: N(chain.rev),
  head: S(chain.head),
});

export const decodeRun = versioned(
  (item: Item): RunRecord => ({
    run: BackupRun.parse(JSON.parse(str(item, 'run'))),
    chain: { rev: num(item, 'rev'), head: str(item, 'head') },
  }),
);

/** The item of a run as it became by `event`. */
export const runItem = (run: BackupRun, event: AuditEvent): Item =>
  encodeRun({ run, chain: { rev: event.rev, head: event.hash } });

/** Newest first. */
export const readRuns = async (store: Store, most = RUNS_MAX): Promise<readonly RunRecord[]> => {
  const page = await store.query({
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :backup)',
    ExpressionAttributeValues: { ':pk': keys.backup('').pk, ':backup': keys.backup('').sk },
    ConsistentRead: true,
    ScanIndexForward: false,
    Limit: most,
  });
  return page.items.map(decodeRun);
};

export const readRun = async (store: Store, id: string): Promise<RunRecord | undefined> => {
  const item = await store.get(keys.backup(id));
  return item === undefined ? undefined : decodeRun(item);
};

/** `before` is undefined where it begins. */
export const runWrites = (
  store: Store,
  before: RunRecord | undefined,
  after: RunRecord,
  event: AuditEvent,
): readonly Write[] => [
  before === undefined
    ? putNew('run', store.tables.state, encodeRun(after))
    : updateItem('run', {
        table: store.tables.state,
        key: keys.backup(after.run.id),
        set: { run: J(after.run), rev: N(after.chain.rev), head: S(after.chain.head) },
        conditions: chainAt(before.chain),
      }),
  putEvent(store, event),
];

/** That its objects are gone, or what is in its way; the audit need not tell. False where it has moved on meanwhile. */
export const noteRun = (
  store: Store,
  { run, chain }: RunRecord,
  note: Pick<BackupRun, 'removedAt' | 'lastTry'>,
): Promise<boolean> =>
  store.write(
    updateInput({
      table: store.tables.state,
      key: keys.backup(run.id),
      set: { run: J({ ...run, ...note }) },
      conditions: chainAt(chain),
    }),
  );

const CLAIM = { ...keys.backup(''), sk: { S: 'CLAIM' } };

/** One at a time, over all executions: until `until` nobody but `holder` gets it. */
export const claimBackups = (store: Store, holder: string, now: number, until: number): Promise<boolean> =>
  store.write(
    updateInput({
      table: store.tables.state,
      key: CLAIM,
      set: { until: N(until), holder: S(holder) },
      conditions: [
        (p) => `attribute_not_exists(${p.name('until')}) OR ${p.name('until')} < ${p.value(N(now))}`,
      ],
    }),
  );

/** It ends at `until`, 0 for at once; false where somebody else has it by now. Asked twice it is as asked once. */
export const moveClaim = (store: Store, holder: string, until: number): Promise<boolean> =>
  store.write(
    updateInput({
      table: store.tables.state,
      key: CLAIM,
      set: { until: N(until) },
      conditions: [attributeEquals('holder', S(holder))],
    }),
  );
