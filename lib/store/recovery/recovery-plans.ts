import type { ChainHead } from '../../audit/event.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import {
  PLAN_RUN_STATUSES,
  type PlanRun,
  type PlanStep,
  type RecoveryPlan,
  type StepProgress,
} from '../../schemas/recovery-plan.ts';
import { putEvent } from '../events.ts';
import { keys, planRunPartition } from '../keys.ts';
import type { Store } from '../store.ts';
import {
  compact,
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
import { chainAt } from '../table/conditions.ts';
import { attributeEquals, putNew, updateItem } from '../table/update.ts';
import type { Write } from '../table/write.ts';

export interface RecoveryPlanRecord extends Omit<RecoveryPlan, 'run'> {
  /** The run that is not over: at most one. */
  readonly run: string | undefined;
  readonly chain: ChainHead;
}

const optional = <T>(name: string, value: T | undefined): { [key: string]: T } =>
  value === undefined ? {} : { [name]: value };

const decodePlan = versioned(
  (item: Item): RecoveryPlanRecord => ({
    id: str(item, 'sk').slice('PLAN#'.length),
    name: str(item, 'name'),
    steps: JSON.parse(str(item, 'steps')) as PlanStep[],
    cfg: num(item, 'cfg'),
    changedAt: num(item, 'changedAt'),
    changedBy: str(item, 'changedBy'),
    run: optStr(item, 'run'),
    chain: { rev: num(item, 'rev'), head: str(item, 'head') },
  }),
);

const planAttributes = (plan: RecoveryPlanRecord): Item =>
  compact({
    name: S(plan.name),
    steps: J(plan.steps),
    cfg: N(plan.cfg),
    changedAt: N(plan.changedAt),
    changedBy: S(plan.changedBy),
    run: plan.run === undefined ? undefined : S(plan.run),
    rev: N(plan.chain.rev),
    head: S(plan.chain.head),
  });

const decodeRun = versioned((item: Item): PlanRun => {
  const [dueAt, endedAt] = [optNum(item, 'dueAt'), optNum(item, 'endedAt')];
  const [asks, cancel] = [optStr(item, 'asks'), optStr(item, 'cancel')];
  return {
    id: str(item, 'sk').slice('RUN#'.length),
    plan: str(item, 'pk').slice('RUNS#'.length),
    cfg: num(item, 'cfg'),
    steps: JSON.parse(str(item, 'steps')) as PlanStep[],
    status: oneOf(item, 'status', PLAN_RUN_STATUSES),
    step: num(item, 'step'),
    rev: num(item, 'rev'),
    since: num(item, 'since'),
    ...optional('dueAt', dueAt),
    ...optional('asks', asks),
    ...optional('cancel', cancel),
    ...optional('approved', optNum(item, 'approved')),
    reason: str(item, 'reason'),
    startedBy: str(item, 'startedBy'),
    startedAt: num(item, 'startedAt'),
    ...optional('endedAt', endedAt),
    progress: JSON.parse(str(item, 'progress')) as StepProgress[],
  };
});

const runAttributes = (run: PlanRun): Item =>
  compact({
    status: S(run.status),
    step: N(run.step),
    rev: N(run.rev),
    since: N(run.since),
    dueAt: run.dueAt === undefined ? undefined : N(run.dueAt),
    asks: run.asks === undefined ? undefined : S(run.asks),
    cancel: run.cancel === undefined ? undefined : S(run.cancel),
    endedAt: run.endedAt === undefined ? undefined : N(run.endedAt),
    approved: run.approved === undefined ? undefined : N(run.approved),
    progress: J(run.progress),
  });

const encodeRun = (run: PlanRun): Item => ({
  ...keys.planRun(run.plan, run.id),
  v: N(ITEM_VERSION),
  cfg: N(run.cfg),
  steps: J(run.steps),
  reason: S(run.reason),
  startedBy: S(run.startedBy),
  startedAt: N(run.startedAt),
  ...runAttributes(run),
});

/** New, or in the place of what was seen. */
export const putPlanWrites = (
  store: Store,
  before: RecoveryPlanRecord | undefined,
  after: RecoveryPlanRecord,
  event: AuditEvent,
): readonly Write[] => [
  before === undefined
    ? putNew('plan', store.tables.state, {
        ...keys.plan(after.id),
        v: N(ITEM_VERSION),
        ...planAttributes(after),
      })
    : planUpdate(store, before, after),
  putEvent(store, event),
];

const planUpdate = (store: Store, before: RecoveryPlanRecord, after: RecoveryPlanRecord): Write =>
  updateItem('plan', {
    table: store.tables.state,
    key: keys.plan(after.id),
    set: planAttributes(after),
    ...(after.run === undefined && before.run !== undefined ? { remove: ['run'] } : {}),
    conditions: chainAt(before.chain),
  });

/** A run as it was seen becomes another; `before` is undefined where it begins. The plan's chain tells of it. */
export const runWrites = (
  store: Store,
  plan: { readonly before: RecoveryPlanRecord; readonly after: RecoveryPlanRecord },
  run: { readonly before: PlanRun | undefined; readonly after: PlanRun },
  event: AuditEvent,
): readonly Write[] => {
  const { before, after } = run;
  const table = store.tables.state;
  const gone = (['dueAt', 'asks', 'cancel'] as const).filter(
    (name) => after[name] === undefined && before?.[name] !== undefined,
  );
  return [
    before === undefined
      ? putNew('run', table, encodeRun(after))
      : updateItem('run', {
          ...{ table, key: keys.planRun(after.plan, after.id), set: runAttributes(after) },
          ...(gone.length === 0 ? {} : { remove: gone }),
          conditions: [attributeEquals('rev', N(before.rev))],
        }),
    planUpdate(store, plan.before, plan.after),
    putEvent(store, event),
  ];
};

export const readPlan = async (store: Store, id: string): Promise<RecoveryPlanRecord | undefined> => {
  const item = await store.get(keys.plan(id));
  return item === undefined ? undefined : decodePlan(item);
};

export const readRun = async (store: Store, plan: string, id: string): Promise<PlanRun | undefined> => {
  const item = await store.get(keys.planRun(plan, id));
  return item === undefined ? undefined : decodeRun(item);
};

/** All plans by id. */
export const allPlans = async (store: Store): Promise<readonly RecoveryPlanRecord[]> => {
  const items = await store.queryAll({
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': S('PLANS') },
  });
  return items.map(decodePlan);
};

/** The last runs of a plan, newest first: their ids grow with time. */
export const lastRuns = async (store: Store, plan: string, most: number): Promise<readonly PlanRun[]> => {
  const page = await store.query({
    KeyConditionExpression: 'pk = :pk',
    ExpressionAttributeValues: { ':pk': S(planRunPartition(plan)) },
    ScanIndexForward: false,
    Limit: most,
  });
  return page.items.map(decodeRun);
};
