import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { scanTable } from '../../../lib/store/backup/scan.ts';
import { type Pause, Store, type Tables } from '../../../lib/store/store.ts';
import type { Item } from '../../../lib/store/table/attributes.ts';
import { dynamodbClient } from '../../../lib/store/table/dynamodb-client.ts';
import { bareClient } from '../world/bare-client.ts';
import type { Faults } from '../world/faults.ts';
import type { Activity, Scheduler } from '../world/scheduler.ts';
import type { EngineAnswer, EngineLine } from './engine-line.ts';

/** The SDK's own number of tries, made here with virtual pauses: its own would take real time. */
const TRIES_MAX = 3;
const BACKOFF_MS = 50;
const SLOW_MS = 1_500;

/** A request as a mutation may change it before the engine sees it. */
export interface WireRequest {
  readonly operation: string;
  readonly body: string;
}

/** A bug put in by a test, on the wires around the shipped code. `by`: the invocation, e.g. `recovery#12`. */
export interface Mutate {
  readonly request?: (request: WireRequest, by: string) => WireRequest;
  readonly answer?: (request: WireRequest, answer: EngineAnswer, by: string) => EngineAnswer;
  /** What is sent by itself after `request` was committed. */
  readonly after?: (request: WireRequest, by: string) => WireRequest | undefined;
  /** The event of a function before it is invoked. */
  readonly event?: (name: string, event: unknown) => unknown;
}

/** A committed request with its circumstances. */
export interface Committed {
  readonly request: WireRequest;
  readonly activity: Activity;
  /** Virtual time at which its sender made it: the clock that it speaks of was read then. */
  readonly madeAt: number;
}

export interface StoreLineDeps {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly engine: EngineLine;
  readonly tables: Tables;
  /** Hears of each committed request, before its sender does. */
  readonly onCommit: (committed: Committed) => void;
  /** After how long a write that comes twice comes again, virtual ms. */
  readonly lateMs: () => number;
  /** Whether the store answers nobody now. */
  readonly isOut: () => boolean;
  /** Whether somebody's transactions hold an item that this would write. */
  readonly isHot: (request: WireRequest) => boolean;
  readonly mutate: Mutate;
  /** Through all layers of the SDK. */
  readonly sdk: boolean;
  /** Counts the tables that there were: what was sent to lost ones does not come to those after them. */
  readonly era: () => number;
  /** Idempotency tokens of the transactions that were committed. */
  readonly tokens: Set<string>;
  /** Kills the sandbox that makes the call. */
  readonly kill: (activity: Activity, how: 'crashBefore' | 'crashAfter') => void;
}

const problem = (type: string, message: string, extra: object = {}): EngineAnswer => ({
  status: 400,
  body: JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message, ...extra }),
});

const UNAVAILABLE: EngineAnswer = { status: 500, body: '{"__type":"InternalServerError","message":"gone"}' };
const RETRIED = /ProvisionedThroughputExceeded|ThrottlingException|InternalServerError/;

const conflictOf = ({ operation, body }: WireRequest): EngineAnswer => {
  if (operation !== 'TransactWriteItems')
    return problem('TransactionConflictException', 'Transaction is ongoing for the item');
  const { TransactItems } = JSON.parse(body) as { TransactItems: unknown[] };
  const reasons = TransactItems.map((_, index) => (index === 0 ? 'TransactionConflict' : 'None'));
  return problem('TransactionCanceledException', `cancelled [${reasons.join(', ')}]`, {
    CancellationReasons: reasons.map((Code) => ({ Code })),
  });
};

/** A store whose every call waits for the scheduler, on its way to the real engine. */
export const storeFor = (
  deps: StoreLineDeps,
  activity: () => Activity,
  pause?: Pause,
): { readonly store: Store; readonly scan: (table: string) => AsyncIterable<readonly Item[]> } => {
  const client = (deps.sdk ? sdkClientFor : bareClientFor)(deps, activity);
  return { store: new Store(client, deps.tables, pause), scan: (table) => scanTable(client, table) };
};

const bareClientFor = (deps: StoreLineDeps, activity: () => Activity): DynamoDBClient =>
  bareClient((operation, body) => send(deps, activity(), { operation, body }));

/** With all layers of the SDK in between. */
const sdkClientFor = (deps: StoreLineDeps, activity: () => Activity): DynamoDBClient =>
  dynamodbClient({
    region: 'local',
    endpoint: 'http://127.0.0.1:1',
    credentials: { accessKeyId: 'simulation', secretAccessKey: 'simulation' },
    maxAttempts: 1,
    // The engine checks none.
    signer: { sign: async (request) => request },
    requestHandler: {
      handle: async (request: { headers: Record<string, string>; body?: unknown }) => {
        const operation = (request.headers['x-amz-target'] ?? '').split('.')[1] ?? '';
        const body =
          typeof request.body === 'string'
            ? request.body
            : new TextDecoder().decode(request.body as Uint8Array);
        const answer = await send(deps, activity(), { operation, body });
        return {
          response: {
            statusCode: answer.status,
            headers: { 'content-type': 'application/x-amz-json-1.0' },
            body: new TextEncoder().encode(answer.body),
          },
        };
      },
      destroy: () => {},
    },
  });

const send = async (deps: StoreLineDeps, activity: Activity, request: WireRequest): Promise<EngineAnswer> => {
  const madeAt = deps.scheduler.now;
  for (let attempt = 1; ; attempt += 1) {
    const delayMs =
      deps.scheduler.pace.callMs +
      (attempt === 1 ? 0 : BACKOFF_MS * 2 ** attempt) +
      (isSlow(deps.faults, request) ? SLOW_MS : 0);
    const label = `${activity.label}: ${request.operation} ${subjectOf(request)}`;
    const answer = await deps.scheduler.park(
      activity,
      label,
      () => once(deps, { activity, request, madeAt }),
      delayMs,
    );
    if (attempt === TRIES_MAX || !RETRIED.test(answer.body)) return answer;
  }
};

const MOVES = /"(resource\.flipped|allocation\.released)"/;
const isSlow = (faults: Faults, { body }: WireRequest): boolean =>
  faults.strikes('slowCall') || (MOVES.test(body) && faults.strikes('slowMove'));

const once = async (deps: StoreLineDeps, { activity, request, madeAt }: Committed): Promise<EngineAnswer> => {
  const { faults, scheduler, mutate } = deps;
  const writes = request.operation === 'TransactWriteItems' || request.operation === 'UpdateItem';
  if (deps.isOut()) return UNAVAILABLE;
  if (faults.strikes('throttled')) {
    scheduler.note('  throttled');
    return problem('ProvisionedThroughputExceededException', 'slow down');
  }
  if (writes && (deps.isHot(request) || faults.strikes('conflict'))) {
    scheduler.note('  conflict');
    return conflictOf(request);
  }
  if (faults.strikes('crashBefore')) {
    scheduler.note('  crash before the call');
    deps.kill(activity, 'crashBefore');
    return UNAVAILABLE;
  }
  const sent = mutate.request?.(request, activity.label) ?? request;
  const given = await deps.engine.call(sent.operation, sent.body);
  const answer = mutate.answer?.(request, given, activity.label) ?? given;
  if (answer.status !== 200) scheduler.note(`  ${answer.status} ${answer.body.slice(0, 90)}`);
  if (given.status === 200 && writes && isFirst(deps.tokens, sent)) {
    deps.onCommit({ request: sent, activity, madeAt });
    const more = mutate.after?.(request, activity.label);
    if (more !== undefined) await alone(deps, { request: more, activity, madeAt });
    // A transaction has its token: it is not done again.
    if (request.operation === 'UpdateItem' && faults.strikes('lateWrite')) {
      const era = deps.era();
      scheduler.after(
        deps.lateMs(),
        `${activity.label} again: ${request.operation} ${subjectOf(request)}`,
        () => (deps.era() === era ? alone(deps, { request: sent, activity, madeAt }) : undefined),
      );
    }
  }
  if (writes && faults.strikes('crashAfter')) {
    scheduler.note('  crash after the call');
    deps.kill(activity, 'crashAfter');
    return answer;
  }
  if (writes && faults.strikes('unknownOutcome')) {
    scheduler.note('  the answer is lost');
    return UNAVAILABLE;
  }
  return answer;
};

/** A write by itself, with which nothing goes wrong. */
const alone = async (deps: StoreLineDeps, committed: Committed): Promise<void> => {
  const { operation, body } = committed.request;
  const { status } = await deps.engine.call(operation, body);
  if (status === 200) deps.onCommit(committed);
};

/** A transaction that is sent again under its token is answered, not done again. */
const isFirst = (tokens: Set<string>, { body }: WireRequest): boolean => {
  const { ClientRequestToken: token } = JSON.parse(body) as { ClientRequestToken?: string };
  if (token === undefined) return true;
  const first = !tokens.has(token);
  tokens.add(token);
  return first;
};

/** First keys of the request: what a reader of the trace wants to know. */
const subjectOf = ({ body }: WireRequest): string =>
  [...body.matchAll(/"(?:sk|entity)":\{"S":"([^"]{1,60})"/g)]
    .slice(0, 3)
    .map((match) => match[1])
    .join(' ');
