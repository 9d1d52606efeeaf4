import { ROUTES, type Route } from '../../../lib/http/routes.ts';
import { SIGNED_PREFIX } from '../../../lib/schemas/signature.ts';
import type { LetIn } from '../invariants/invariants-signatures.ts';
import { type AgentKeys, AUTHORITY } from './agent-keys.ts';
import type { Faults } from './faults.ts';
import type { FunctionName, Lambda } from './lambda.ts';
import type { Scheduler } from './scheduler.ts';

/** One way, ms. */
const TRIP_MS = 5;
const LATE_MS = 4_000;
const TOKEN_S = 10_000_000_000;
/** The gateway's answer to whom an authoriser refuses. */
const FORBIDDEN = 403;

export type Operation = (typeof ROUTES)[number]['operation'];

export interface Caller {
  readonly principal: string;
  readonly roles: string;
  readonly tenant?: string;
  readonly labscape?: string;
  /** It signs with these instead of sending a token. */
  readonly keys?: AgentKeys | undefined;
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

interface Signed extends Omit<LetIn, 'operation'> {
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string;
}

function routeOf(operation: Operation): Route {
  const route = ROUTES.find((one) => one.operation === operation);
  if (route === undefined) throw new Error(`no route ${operation}`);
  return route;
}

/** Requests over a network that loses, delays and doubles them, and of which parts can be cut off. */
export class Network {
  readonly #scheduler: Scheduler;
  readonly #faults: Faults;
  readonly #lambda: Lambda;
  readonly cut = new Set<string>();
  /** Hears of each signed request that the authoriser let in. */
  onLetIn: (letIn: LetIn) => void = () => {};
  readonly #wallMs: () => number;
  #requests = 0;
  /** Pairs of labscapes whose line to each other is cut. */
  readonly #apart = new Set<readonly [string, string]>();

  constructor(scheduler: Scheduler, faults: Faults, lambda: Lambda, wallMs: () => number) {
    this.#wallMs = wallMs;
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
    const signed = this.#sign(caller, call);
    if (doubled) void this.#deliver(caller, call, from, doubled, signed);
    return this.#deliver(caller, call, from, doubled, signed);
  }

  /** Signed once, by the signer's own clock, which is right. */
  #sign({ keys }: Caller, call: ApiCall): Signed | undefined {
    if (keys === undefined) return undefined;
    const { method, path } = routeOf(call.operation);
    const own = path.replace(/\{(\w+)\}/g, (_, name: string) => call.params?.[name] ?? '');
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const nowS = Math.floor(this.#wallMs() / 1000);
    return { ...keys.sign(method, own, body, nowS), sentAt: this.#scheduler.now };
  }

  /** What the authoriser says of a signed request: the context of who is let in, or the answer of who is not. */
  async #admit(signed: Signed, call: ApiCall): Promise<{ context: unknown } | { status: number } | 'lost'> {
    const { method, path } = routeOf(call.operation);
    this.#requests += 1;
    const answer = await this.#lambda.invoke('authorise-signed', {
      ...{ routeKey: `${method} /signed${path}`, rawPath: signed.path, rawQueryString: '' },
      headers: signed.headers,
      requestContext: {
        ...{ requestId: `request-${this.#requests}`, domainName: AUTHORITY, http: { method } },
      },
    });
    if (!answer.ok) return 'lost';
    const { isAuthorized, context } = answer.payload as { isAuthorized: boolean; context: unknown };
    if (!isAuthorized) return { status: FORBIDDEN };
    this.onLetIn({ ...signed, operation: call.operation });
    return { context };
  }

  async #deliver(
    caller: Caller,
    call: ApiCall,
    from: string | undefined,
    doubled: boolean,
    signed: Signed | undefined,
  ): Promise<Reply> {
    if (!(await this.#trip(call.operation, from, call.atOnce ? 0 : TRIP_MS))) return { kind: 'lost' };
    const route = routeOf(call.operation);
    const admitted = signed === undefined ? undefined : await this.#admit(signed, call);
    if (admitted === 'lost') return { kind: 'lost' };
    if (admitted !== undefined && 'status' in admitted) {
      const arrives = await this.#trip(`refusal of ${call.operation}`, from, TRIP_MS);
      return arrives
        ? { kind: 'answer', status: admitted.status, body: undefined, doubled }
        : { kind: 'lost' };
    }
    const answer = await this.#lambda.invoke(route.function as FunctionName, {
      routeKey: `${route.method} ${signed === undefined ? '' : SIGNED_PREFIX}${route.path}`,
      headers: { 'content-type': 'application/json', ...call.headers },
      pathParameters: call.params ?? {},
      queryStringParameters: call.query ?? {},
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      isBase64Encoded: false,
      requestContext: { authorizer: { lambda: admitted?.context ?? { ...caller, expiresAtS: TOKEN_S } } },
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
