import type { Logger } from '@aws-lambda-powertools/logger';
import type { Clock } from '../clock.ts';
import { ProblemError } from '../errors.ts';
import { type Authorizer, ownTarget, type Target } from '../security/authorizer.ts';
import type { Caller } from '../security/caller.ts';
import { CLOCK_SKEW_S, callerFromContext } from '../security/claims.ts';
import { checkBody } from './body-digest.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './routes.ts';

/** Awaits the revocation check, which runs from the start of the request; throws `principal-revoked`. */
export type Cleared = () => Promise<void>;

export interface GateDeps {
  readonly clock: Clock;
  readonly isRevoked: (principal: string) => Promise<boolean>;
  readonly authorizer: Authorizer;
  readonly log: Logger;
  /** Throws what a response in force says of the caller. */
  readonly restrain?: ((caller: Caller) => Promise<void>) | undefined;
}

export interface Gate {
  readonly caller: Caller;
  readonly cleared: Cleared;
  readonly permit: (target: Target) => void;
  /** Whether the caller may see the fleet, besides what the route is about. */
  readonly seesFleet: () => boolean;
  /** Runs the operation and lets its answer out only if every check it owed was made. */
  guard<T>(operation: () => Promise<T>): Promise<T>;
}

const ANONYMOUS: Caller = { principal: 'anonymous', roles: [], expiresAtS: 0 };

/** The authoriser's answer may come from API Gateway's cache, so the token may have expired since. */
function identify(exchange: Exchange, clock: Clock): Caller {
  const caller = callerFromContext(exchange.event.requestContext.authorizer?.lambda);
  if (caller === undefined) {
    throw new ProblemError('unauthenticated', 'Send a valid token: Authorization: Bearer TOKEN.');
  }
  exchange.principal = caller.principal;
  exchange.caller = caller;
  if ((caller.expiresAtS + CLOCK_SKEW_S) * 1000 <= clock.now()) {
    throw new ProblemError('unauthenticated', 'The token has expired; get a new one.');
  }
  return caller;
}

/** Public routes have no caller to clear and no object to ask about. */
function openDoor(exchange: Exchange): Gate {
  exchange.principal = ANONYMOUS.principal;
  return {
    caller: ANONYMOUS,
    cleared: async () => {},
    permit: () => {
      throw new ProblemError('forbidden', 'Anonymous callers own nothing.');
    },
    seesFleet: () => false,
    guard: (operation) => operation(),
  };
}

function startClearance(caller: Caller, deps: GateDeps): Cleared {
  const revocation = deps.isRevoked(caller.principal).then((revoked) => {
    if (revoked)
      throw new ProblemError('principal-revoked', 'This principal has been revoked; ask an admin.');
  });
  // Side by side: the second reads now and then at most.
  const check = Promise.all([revocation, deps.restrain?.(caller)]).then(() => {});
  // Whoever awaits it sees the failure; until then it must not end the process.
  check.catch(() => {});
  return () => check;
}

const isRevocation = (error: unknown) =>
  error instanceof ProblemError && ['principal-revoked', 'quarantined'].includes(error.code);

class PolicyGate implements Gate {
  readonly caller: Caller;
  readonly #route: Route;
  readonly #deps: GateDeps;
  readonly #clearance: Cleared;
  #wasCleared = false;
  #wasPermitted = false;

  constructor(caller: Caller, route: Route, deps: GateDeps) {
    this.caller = caller;
    this.#route = route;
    this.#deps = deps;
    this.#clearance = startClearance(caller, deps);
  }

  readonly cleared: Cleared = async () => {
    await this.#clearance();
    this.#wasCleared = true;
  };

  readonly permit = (target: Target): void => {
    if (this.#allows(target)) {
      this.#wasPermitted = true;
      return;
    }
    const mayDoItToOwn = this.#allows(ownTarget(this.caller));
    if (mayDoItToOwn && (target.tenant !== undefined || target.resource !== undefined)) {
      throw new ProblemError('not-found', 'There is no such object, or it is not yours.', {
        really: 'forbidden',
      });
    }
    throw this.#forbidden();
  };

  readonly seesFleet = (): boolean => this.#deps.authorizer.decide(this.caller, 'readFleet', {}).allowed;

  /** The authoriser has asked this already; here it also holds for whoever can invoke the function directly. */
  permitAnything(): void {
    if (!this.#allows(ownTarget(this.caller))) throw this.#forbidden();
  }

  async guard<T>(operation: () => Promise<T>): Promise<T> {
    const answer = await this.#run(operation);
    if (this.#route.method === 'GET') await this.cleared();
    if (!this.#wasCleared) throw new Error(`${this.#route.operation} answered without awaiting cleared()`);
    // Allowed on any object: nothing to ask. Everybody else's right depends on the object.
    if (!this.#wasPermitted && !this.#allows({})) {
      throw new Error(`${this.#route.operation} answered without asking permit()`);
    }
    return answer;
  }

  /** A revoked principal learns of its revocation only, not of what else is wrong with its request. */
  async #run<T>(operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      await this.#clearance().catch((refusal) => {
        if (isRevocation(refusal)) throw refusal;
      });
      throw error;
    }
  }

  #forbidden(): ProblemError {
    return new ProblemError('forbidden', `Your roles do not allow ${this.#route.action} here.`);
  }

  #allows(target: Target): boolean {
    const decision = this.#deps.authorizer.decide(this.caller, this.#route.action, target);
    if (decision.errors.length > 0) {
      this.#deps.log.error('policy evaluation failed', {
        action: this.#route.action,
        errors: decision.errors,
      });
    }
    return decision.allowed;
  }
}

/** Knows the caller, starts the revocation check, and answers for policy. */
export function openGate(exchange: Exchange, route: Route, deps: GateDeps): Gate {
  if (route.action === 'public') return openDoor(exchange);
  const caller = identify(exchange, deps.clock);
  checkBody(exchange.event);
  const gate = new PolicyGate(caller, route, deps);
  gate.permitAnything();
  return gate;
}
