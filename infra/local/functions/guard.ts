import { AwsError } from '../aws-endpoint.ts';
import { ACCOUNT, PARTITION } from '../template/intrinsics.ts';
import type { LocalFunction } from '../template/template-functions.ts';
import { evaluate } from './iam.ts';

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

/** Checks calls against the roles of their callers, and counts what was needed. */
export class Guard {
  readonly #uses = new Map<string, PermissionUse>();

  /**
   * Throws AccessDeniedException, worded as by AWS, unless the caller's role allows it. Counted as the use of `family`
   * where a role can only name the resource with all of its kind.
   */
  authorise(caller: LocalFunction, action: string, resource: string, family: string = resource): void {
    const decision = evaluate(caller.statements, action, resource);
    this.#count(caller, action, family, decision === 'allowed');
    if (decision === 'allowed') return;
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
    return [...this.#uses.values()];
  }

  #count(caller: LocalFunction, action: string, resource: string, allowed: boolean): void {
    const name = serviceOf(caller);
    const key = `${name} ${action} ${resource}`;
    const known = this.#uses.get(key);
    this.#uses.set(key, {
      ...{ function: name, action, resource },
      allowed: (known?.allowed ?? 0) + (allowed ? 1 : 0),
      refused: (known?.refused ?? 0) + (allowed ? 0 : 1),
    });
  }
}

/** A function as its own code names it. */
export const serviceOf = (caller: LocalFunction): string =>
  caller.environment['POWERTOOLS_SERVICE_NAME'] ?? caller.name;
