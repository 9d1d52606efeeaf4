import { dynamodbClient } from '../../lib/store/dynamodb-client.ts';
import { Store, type Tables } from '../../lib/store/store.ts';
import type { EngineAnswer, EngineLine } from './engine-line.ts';
import type { Faults } from './faults.ts';
import type { Activity, Scheduler } from './scheduler.ts';

/** The SDK's own number of tries, made here with virtual pauses: its own would take real time. */
const TRIES_MAX = 3;
const BACKOFF_MS = 50;
const SLOW_MS = 1_500;

/** A request as a mutation may change it before the engine sees it; undefined leaves it out. */
export interface WireRequest {
  readonly operation: string;
  readonly body: string;
}
export type Mutate = (request: WireRequest) => WireRequest;

export interface StoreLineDeps {
  readonly scheduler: Scheduler;
  readonly faults: Faults;
  readonly engine: EngineLine;
  readonly tables: Tables;
  /** Hears of each committed request, before its sender does. */
  readonly onCommit: (request: WireRequest, activity: Activity) => Promise<void>;
  readonly mutate: Mutate;
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

/** A store whose every call waits for the scheduler, on its way through the real SDK to the real engine. */
export const storeFor = (deps: StoreLineDeps, activity: () => Activity): Store => {
  const client = dynamodbClient({
    region: 'local',
    endpoint: 'http://127.0.0.1:1',
    credentials: { accessKeyId: 'simulation', secretAccessKey: 'simulation' },
    maxAttempts: 1,
    requestHandler: {
      handle: async (request: { headers: Record<string, string>; body?: unknown }) => {
        const operation = (request.headers['x-amz-target'] ?? '').split('.')[1] ?? '';
        const body =
          typeof request.body === 'string'
            ? request.body
            : new TextDecoder().decode(request.body as Uint8Array);
        const answer = await send(deps, activity(), { operation, body }, request.headers);
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
  return new Store(client, deps.tables);
};

const send = async (
  deps: StoreLineDeps,
  activity: Activity,
  request: WireRequest,
  headers: Record<string, string>,
): Promise<EngineAnswer> => {
  for (let attempt = 1; ; attempt += 1) {
    const delayMs =
      (attempt === 1 ? 0 : BACKOFF_MS * 2 ** attempt) + (deps.faults.strikes('slowCall') ? SLOW_MS : 0);
    const label = `${activity.label}: ${request.operation} ${subjectOf(request)}`;
    const answer = await deps.scheduler.park(
      activity,
      label,
      () => once(deps, activity, request, headers),
      delayMs,
    );
    if (attempt === TRIES_MAX || !RETRIED.test(answer.body)) return answer;
  }
};

const once = async (
  deps: StoreLineDeps,
  activity: Activity,
  request: WireRequest,
  headers: Record<string, string>,
): Promise<EngineAnswer> => {
  const { faults, scheduler } = deps;
  const writes = request.operation === 'TransactWriteItems' || request.operation === 'UpdateItem';
  if (faults.strikes('throttled')) {
    scheduler.note('  throttled');
    return problem('ProvisionedThroughputExceededException', 'slow down');
  }
  if (writes && faults.strikes('conflict')) {
    scheduler.note('  conflict');
    return conflictOf(request);
  }
  if (faults.strikes('crashBefore')) {
    scheduler.note('  crash before the call');
    deps.kill(activity, 'crashBefore');
    return UNAVAILABLE;
  }
  const sent = deps.mutate(request);
  const { 'content-length': _length, ...rest } = headers;
  const answer = await deps.engine.call(
    { ...rest, 'content-length': String(Buffer.byteLength(sent.body)) },
    sent.body,
  );
  if (answer.status !== 200) scheduler.note(`  ${answer.status} ${answer.body.slice(0, 90)}`);
  if (answer.status === 200 && writes && isFirst(deps.tokens, sent)) await deps.onCommit(sent, activity);
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
