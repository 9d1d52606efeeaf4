import type * as z from 'zod';
import { type FieldError, ProblemError } from '../errors.ts';

/** Enough to correct a request by; more would let a caller blow up the answer. */
const FIELD_ERRORS_MAX = 20;
/** Names of unknown fields are the caller's own text. */
const FIELD_NAME_MAX = 100;

const KINDS: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'text',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

const NUMBERS: ReadonlySet<string> = new Set(['number', 'int']);

function boundReason(side: 'least' | 'most', origin: string, bound: unknown, inclusive: boolean): string {
  if (!NUMBERS.has(origin)) {
    const unit = origin === 'string' ? 'characters' : 'entries';
    return `must have at ${side} ${bound} ${unit}`;
  }
  if (inclusive) return `must be at ${side} ${bound}`;
  return side === 'least' ? `must be greater than ${bound}` : `must be less than ${bound}`;
}

function typeReason(expected: string, input: unknown): string {
  if (input === undefined) return 'is required';
  const kind = KINDS[expected] ?? expected;
  if (typeof input === 'number' && !Number.isFinite(input)) return `must be ${kind}`;
  const got = input === null ? 'null' : Array.isArray(input) ? 'a list' : typeof input;
  if (expected === 'int' && got === 'number') return 'must be a whole number';
  return `must be ${kind}, not ${KINDS[got] ?? got}`;
}

/** Words for zod's own findings. A message written at the schema comes first: zod asks here only without one. */
export function wordsOfIssue(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return typeReason(issue.expected, issue.input);
    case 'too_small':
      return boundReason('least', issue.origin, issue.minimum, issue.inclusive !== false);
    case 'too_big':
      if ('note' in issue) return 'is too large to be exact';
      return boundReason('most', issue.origin, issue.maximum, issue.inclusive !== false);
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'invalid_format':
      return issue.format === 'regex' ? `must match ${issue.pattern}` : `must be a valid ${issue.format}`;
    case 'invalid_union':
      return 'has none of the allowed types';
    default:
      return undefined;
  }
}

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
