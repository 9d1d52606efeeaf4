import type * as z from 'zod';

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
