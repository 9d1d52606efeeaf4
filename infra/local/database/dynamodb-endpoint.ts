import { Agent, request as httpRequest } from 'node:http';
import { type AwsAnswer, type AwsCall, type AwsEndpoint, startAwsEndpoint } from '../aws-endpoint.ts';
import { Guard, type PermissionUse, serviceOf } from '../functions/guard.ts';
import type { LocalTable } from '../template/template.ts';
import type { LocalFunction } from '../template/template-functions.ts';
import { Conflicts } from './conflicts.ts';
import { DynamodbCalls, type ItemKey } from './dynamodb-calls.ts';

/** Transactions remembered for a drill that asks which items were touched together. */
const TRANSACTIONS_MAX = 2000;

/** Connections to the engine that are idle for so long are closed by us, before the engine may do so under a request. */
const IDLE_MS = 5000;

export interface TransactionRecord {
  /** Epoch ms when it began. */
  readonly at: number;
  readonly ms: number;
  readonly function: string;
  readonly keys: readonly ItemKey[];
  /** HTTP status: 200 if it was committed. */
  readonly status: number;
}

/** Calls by function and operation, e.g. `status.Query`; a refused one counts as well. */
export type Counters = Readonly<Record<string, number>>;

export interface DynamodbEndpoint extends AwsEndpoint {
  counters(): Counters;
  permissionsUsed(): readonly PermissionUse[];
  /** Write transactions, oldest first, the last 2000. */
  transactions(): readonly TransactionRecord[];
}

/**
 * DynamoDB as the functions see it: checks each call against the caller's role, emulates transaction conflicts,
 * counts, and forwards to the engine.
 */
export async function startDynamodbEndpoint(options: {
  readonly engineUrl: string;
  readonly tables: readonly LocalTable[];
  readonly callers: ReadonlyMap<string, LocalFunction>;
}): Promise<DynamodbEndpoint> {
  const engine = new URL(options.engineUrl);
  const agent = new Agent({ keepAlive: true, timeout: IDLE_MS });
  const calls = new DynamodbCalls(options.tables);
  const conflicts = new Conflicts();
  const guard = new Guard();
  const counts = new Map<string, number>();
  const ring: TransactionRecord[] = [];

  const endpoint = await startAwsEndpoint(options.callers, async (call) => {
    const { caller, operation, input } = call;
    const counter = `${serviceOf(caller)}.${operation}`;
    counts.set(counter, (counts.get(counter) ?? 0) + 1);
    const { needs, transacted: keys, written } = calls.of(operation, input);
    for (const need of needs) guard.authorise(caller, need.action, need.resource);
    const run = () => forward(engine, agent, call);
    if (keys.length > 0) {
      const writes = operation === 'TransactWriteItems';
      const record = { at: Date.now(), startedMs: performance.now(), function: caller.name, keys };
      const transacted = conflicts.transaction(keys, writes, run);
      return writes ? remember(ring, record, transacted) : transacted;
    }
    return written === undefined ? run() : conflicts.write(written, run);
  });
  return {
    url: endpoint.url,
    counters: () => Object.fromEntries(counts),
    permissionsUsed: () => guard.used(),
    transactions: () => [...ring],
    stop: async () => {
      await endpoint.stop();
      agent.destroy();
    },
  };
}

async function remember(
  ring: TransactionRecord[],
  begun: { at: number; startedMs: number; function: string; keys: readonly ItemKey[] },
  transacted: Promise<AwsAnswer>,
): Promise<AwsAnswer> {
  let status = 400;
  try {
    const answer = await transacted;
    status = answer.status;
    return answer;
  } finally {
    const { startedMs, ...record } = begun;
    ring.push({ ...record, ms: performance.now() - startedMs, status });
    if (ring.length > TRANSACTIONS_MAX) ring.shift();
  }
}

/** Hands the request on as it came, over a connection that is kept. */
function forward(engine: URL, agent: Agent, call: AwsCall): Promise<AwsAnswer> {
  const { headers, body } = call.raw;
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: engine.hostname,
        port: engine.port,
        agent,
        method: 'POST',
        path: '/',
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          'content-length': body.length,
          'x-amz-target': headers['x-amz-target'],
          'x-amz-date': headers['x-amz-date'],
          authorization: headers.authorization,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 500, body: Buffer.concat(chunks) }),
        );
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}
