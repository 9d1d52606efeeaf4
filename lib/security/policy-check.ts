import type { CompiledPolicies, PolicyText } from './authorizer.ts';
import {
  type PolicyJson,
  policySetTextToParts,
  policyToJson,
  schemaToJson,
  type ValidationError,
  validate,
} from './cedar.ts';

interface Policy {
  readonly text: string;
  readonly json: PolicyJson;
}

function readById(policies: string): Readonly<Record<string, Policy>> {
  const parts = policySetTextToParts(policies);
  if (parts.type === 'failure')
    throw new Error(`Cedar policies do not parse: ${parts.errors.map(({ message }) => message).join('; ')}`);
  const byId: Record<string, Policy> = {};
  for (const text of parts.policies) {
    const answer = policyToJson(text);
    const json = answer.type === 'success' ? answer.json : undefined;
    const id = json?.annotations?.['id'];
    if (json === undefined || typeof id !== 'string')
      throw new Error(`a policy has no @id: ${text.slice(0, 60)}`);
    if (id in byId) throw new Error(`two policies have the @id ${id}`);
    byId[id] = { text, json };
  }
  return byId;
}

const each = <T>(policies: string, of: (policy: Policy) => T): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(readById(policies)).map(([id, policy]) => [id, of(policy)]));

/** Each policy's text by its `@id`; throws where one has none, or another's. */
export const policiesById = (policies: string): Readonly<Record<string, string>> =>
  each(policies, ({ text }) => text);

/** The same as an authorizer takes them. */
export const compilePolicies = (policies: string): CompiledPolicies => each(policies, ({ json }) => json);

/** The actions that the schema knows; throws if it cannot be read. */
export function actionsOf(schema: string): readonly string[] {
  const json = schemaToJson(schema);
  if (json.type === 'failure') throw new Error(json.errors.map(({ message }) => message).join('; '));
  return Object.keys(json.json['']?.actions ?? {});
}

const sayError = ({ policyId, error }: ValidationError): string => `${policyId}: ${error.message}`;

const caught = (check: () => readonly string[]): readonly string[] => {
  try {
    return check();
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
};

/**
 * What is wrong with policies, their schema and the actions that routes ask for; nothing is deployed with a fault. A
 * typo in a `permit` would only refuse too much; one in a `forbid` would let through what it should stop.
 */
export function policyFaults(text: PolicyText, asked: ReadonlySet<string>): readonly string[] {
  return caught(() => {
    const staticPolicies = policiesById(text.policies);
    const known = new Set(actionsOf(text.schema));
    const answer = validate({ schema: text.schema, policies: { staticPolicies } });
    if (answer.type === 'failure') return answer.errors.map(({ message }) => message);
    return [
      ...[...answer.validationErrors, ...answer.validationWarnings].map(sayError),
      ...answer.otherWarnings.map(({ message }) => message),
      ...[...asked]
        .filter((action) => !known.has(action))
        .map((action) => `no action ${action} in the schema`),
      ...[...known].filter((action) => !asked.has(action)).map((action) => `no route asks for ${action}`),
    ];
  });
}
