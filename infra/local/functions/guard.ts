import { AwsError } from '../aws-endpoint.ts';
import { ACCOUNT, PARTITION } from '../template/intrinsics.ts';
import type { LocalFunction } from '../template/template-functions.ts';
import { type Decision, evaluate } from './iam.ts';

/** Of one caller: objects have names without number, tables and machines are few. */
const KNOWN_MAX = 256;

/** A permission that a function needed. An item of a transaction needs that of the plain call it stands for. */
export interface PermissionUse {
  /** Folder in functions/. */
  readonly function: string;
  readonly action: string;
  /** ARN of the table, index or state machine. */
  readonly resource: string;
  readonly allowed: number;
  readonly refused: number;
}

interface Counted extends PermissionUse {
  allowed: number;
  refused: number;
}

/** A role stays as it is as long as the host runs: what it says to an action on a resource is asked once. */
interface Known {
  readonly decision: Decision;
  readonly use: Counted;
}

/** Checks calls against the roles of their callers, and counts what was needed. */
export class Guard {
  readonly #uses = new Map<string, Counted>();
  readonly #known = new Map<LocalFunction, Map<string, Known>>();

  /**
   * Throws AccessDeniedException, worded as by AWS, unless the caller's role allows it. Counted as the use of `family`
   * where a role can only name the resource with all of its kind.
   */
  authorise(caller: LocalFunction, action: string, resource: string, family: string = resource): void {
    const { decision, use } = this.#ask(caller, action, resource, family);
    if (decision === 'allowed') {
      use.allowed += 1;
      return;
    }
    use.refused += 1;
    const role = caller.roleArn.slice(caller.roleArn.lastIndexOf('/') + 1);
    const user = `arn:${PARTITION}:sts::${ACCOUNT}:assumed-role/${role}/${caller.name}`;
    const because =
      decision === 'explicit-deny'
        ? 'with an explicit deny in an identity-based policy'
        : `because no identity-based policy allows the ${action} action`;
    throw new AwsError(
      'com.amazon.coral.service#AccessDeniedException',
      `User: ${user} is not authorized to perform: ${action} on resource: ${resource} ${because}`,
    );
  }

  used(): readonly PermissionUse[] {
    return Array.from(this.#uses.values(), (use) => ({ ...use }));
  }

  #ask(caller: LocalFunction, action: string, resource: string, family: string): Known {
    const ofCaller = this.#known.get(caller) ?? new Map<string, Known>();
    this.#known.set(caller, ofCaller);
    const key = `${action} ${resource}`;
    const known = ofCaller.get(key);
    if (known !== undefined) return known;
    const asked = {
      decision: evaluate(caller.statements, action, resource),
      use: this.#useOf(caller, action, family),
    };
    if (ofCaller.size < KNOWN_MAX) ofCaller.set(key, asked);
    return asked;
  }

  #useOf(caller: LocalFunction, action: string, resource: string): Counted {
    const name = serviceOf(caller);
    const key = `${name} ${action} ${resource}`;
    const use = this.#uses.get(key) ?? { function: name, action, resource, allowed: 0, refused: 0 };
    this.#uses.set(key, use);
    return use;
  }
}

/** A function as its own code names it. */
export const serviceOf = (caller: LocalFunction): string =>
  caller.environment['POWERTOOLS_SERVICE_NAME'] ?? caller.name;
