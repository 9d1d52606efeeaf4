import { ROUTES } from '../../../lib/http/routes.ts';
import type { Faults } from './faults.ts';
import type { FunctionName, Lambda } from './lambda.ts';
import type { Scheduler } from './scheduler.ts';

/** One way, ms. */
const TRIP_MS = 5;
const LATE_MS = 4_000;
const TOKEN_S = 10_000_000_000;

export type Operation = (typeof ROUTES)[number]['operation'];

export interface Caller {
  readonly principal: string;
  readonly roles: string;
  readonly tenant?: string;
  readonly labscape?: string;
}

export interface ApiCall {
  readonly operation: Operation;
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** It takes no time: to meet what is under way. */
  readonly atOnce?: boolean;
}

/** `lost`: the sender cannot know whether it was carried out. */
export type Reply =
  | { readonly kind: 'lost' }
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: unknown;
      /** The request was delivered a second time, of which the sender hears nothing. */
      readonly doubled: boolean;
    };

/** Requests over a network that loses, delays and doubles them, and of which parts can be cut off. */
export class Network {
  readonly #scheduler: Scheduler;
  readonly #faults: Faults;
  readonly #lambda: Lambda;
  readonly cut = new Set<string>();
  /** Pairs of labscapes whose line to each other is cut. */
  readonly #apart = new Set<readonly [string, string]>();

  constructor(scheduler: Scheduler, faults: Faults, lambda: Lambda) {
    this.#scheduler = scheduler;
    this.#faults = faults;
    this.#lambda = lambda;
  }

  /** Cuts the line between two labscapes; returns how to mend it. */
  part(one: string, other: string): () => void {
    const pair = [one, other] as const;
    this.#apart.add(pair);
    return () => void this.#apart.delete(pair);
  }

  /** All labscapes reach each other and the controller. */
  mend(): void {
    this.cut.clear();
    this.#apart.clear();
  }

  /** Labscapes that this one cannot reach. */
  unreachableFrom(labscape: string): readonly string[] {
    const apart = [...this.#apart].filter((pair) => pair.includes(labscape)).flat();
    return [...new Set(apart)].filter((id) => id !== labscape).sort();
  }

  /** `from`: the labscape whose line it takes, if any. */
  send(caller: Caller, call: ApiCall, from?: string): Promise<Reply> {
    const doubled = this.#faults.strikes('doubledMessage');
    if (doubled) void this.#deliver(caller, call, from, doubled);
    return this.#deliver(caller, call, from, doubled);
  }

  async #deliver(caller: Caller, call: ApiCall, from: string | undefined, doubled: boolean): Promise<Reply> {
    if (!(await this.#trip(call.operation, from, call.atOnce ? 0 : TRIP_MS))) return { kind: 'lost' };
    const route = ROUTES.find(({ operation }) => operation === call.operation);
    if (route === undefined) throw new Error(`no route ${call.operation}`);
    const answer = await this.#lambda.invoke(route.function as FunctionName, {
      routeKey: `${route.method} ${route.path}`,
      headers: { 'content-type': 'application/json', ...call.headers },
      pathParameters: call.params ?? {},
      queryStringParameters: call.query ?? {},
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      isBase64Encoded: false,
      requestContext: { authorizer: { lambda: { ...caller, expiresAtS: TOKEN_S } } },
    });
    const arrives = await this.#trip(`answer of ${call.operation}`, from, TRIP_MS);
    if (!arrives || !answer.ok) return { kind: 'lost' };
    const { statusCode, body } = answer.payload as { statusCode: number; body?: string };
    return {
      kind: 'answer',
      status: statusCode,
      body: body === undefined || body === '' ? undefined : JSON.parse(body),
      doubled,
    };
  }

  /** False when it never arrives; the sender's timeout is part of the trip. */
  async #trip(what: string, from: string | undefined, ms: number): Promise<boolean> {
    const lost = this.#faults.strikes('lostMessage') || (from !== undefined && this.cut.has(from));
    const late = this.#faults.strikes('lateMessage');
    await new Promise<void>((resolve) => {
      this.#scheduler.after(
        lost || late ? LATE_MS : ms,
        `${from ?? 'caller'} ~ ${what}${lost ? ' lost' : ''}`,
        () => resolve(),
      );
    });
    return !lost;
  }
}
