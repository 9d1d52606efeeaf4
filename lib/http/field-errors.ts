import type * as z from 'zod';
import { type FieldError, ProblemError } from '../errors.ts';
import { wordsOfIssue } from '../schemas/issue-words.ts';

/** Enough to correct a request by; more would let a caller blow up the answer. */
const FIELD_ERRORS_MAX = 20;
/** Names of unknown fields are the caller's own text. */
const FIELD_NAME_MAX = 100;

function fieldOf(path: readonly PropertyKey[]): string {
  let field = '';
  for (const step of path) {
    if (typeof step === 'number') field += `[${step}]`;
    else field += field === '' ? String(step) : `.${String(step)}`;
  }
  return field.slice(0, FIELD_NAME_MAX);
}

function fieldErrors(issue: z.core.$ZodIssue, whole: string): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: fieldOf([...issue.path, key]),
      reason: 'is not a known field',
    }));
  }
  const field = issue.path.length === 0 ? whole : fieldOf(issue.path);
  if (issue.code === 'invalid_key') {
    return [{ field, reason: `its name ${issue.issues[0]?.message ?? 'is not allowed'}` }];
  }
  return [{ field, reason: issue.message }];
}

function invalidInput(errors: readonly FieldError[], whole: string): ProblemError {
  // One wrong value can break several rules; the first says enough.
  const firstOfEach = new Map(errors.toReversed().map((error) => [error.field, error]));
  const shown = errors.filter((error) => firstOfEach.get(error.field) === error).slice(0, FIELD_ERRORS_MAX);
  const words = shown.map((error) => `${error.field} ${error.reason}`).join('; ');
  return new ProblemError('invalid-input', `The ${whole} is not valid: ${words}.`, { errors: shown });
}

/**
 * Parses one part of a request; `whole` names it (body, query, path) where no field does.
 * Throws `invalid-input` with one entry per wrong field.
 */
export function parsePart<S extends z.ZodType>(schema: S, value: unknown, whole: string): z.infer<S> {
  const parsed = schema.safeParse(value, { error: wordsOfIssue });
  if (parsed.success) return parsed.data;
  throw invalidInput(
    parsed.error.issues.flatMap((issue) => fieldErrors(issue, whole)),
    whole,
  );
}

/** `invalid-input` about one header or parameter. */
export function invalidField(field: string, reason: string): ProblemError {
  return new ProblemError('invalid-input', `${field} ${reason}.`, { errors: [{ field, reason }] });
}
