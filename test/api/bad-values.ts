import * as z from 'zod';

/** What of a JSON Schema the generators read. */
const Node: z.ZodType<SchemaNode> = z.lazy(() =>
  z
    .looseObject({
      type: z.string().optional(),
      properties: z.record(z.string(), Node).optional(),
      required: z.array(z.string()).optional(),
      additionalProperties: z.union([z.boolean(), Node]).optional(),
      propertyNames: Node.optional(),
      items: Node.optional(),
      anyOf: z.array(Node).optional(),
      enum: z.array(z.unknown()).optional(),
      pattern: z.string().optional(),
      format: z.string().optional(),
      minimum: z.number().optional(),
      maximum: z.number().optional(),
      exclusiveMinimum: z.number().optional(),
      minLength: z.number().optional(),
      maxLength: z.number().optional(),
      minItems: z.number().optional(),
      maxItems: z.number().optional(),
    })
    // Beside a type it says which fields go together, not which shapes there are.
    .transform((node) => (node.type === undefined ? node : { ...node, anyOf: undefined })),
);
export interface SchemaNode {
  readonly type?: string | undefined;
  readonly properties?: Readonly<Record<string, SchemaNode>> | undefined;
  readonly required?: readonly string[] | undefined;
  readonly additionalProperties?: boolean | SchemaNode | undefined;
  readonly propertyNames?: SchemaNode | undefined;
  readonly items?: SchemaNode | undefined;
  readonly anyOf?: readonly SchemaNode[] | undefined;
  readonly enum?: readonly unknown[] | undefined;
  readonly pattern?: string | undefined;
  readonly format?: string | undefined;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly minLength?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
}

/** The published form of a schema, as a caller would read it. */
export const schemaOf = (schema: z.ZodType): SchemaNode =>
  Node.parse(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));

const WORDS = ['a', '1.0', 'A', 'https://a.example', 'resource#a', 'rack', 'a'.repeat(64), '00:00'];

function wordFor(node: SchemaNode): string {
  if (node.format === 'uri') return 'https://a.example';
  const { pattern } = node;
  const word = pattern === undefined ? 'a' : WORDS.find((w) => new RegExp(pattern).test(w));
  if (word === undefined) throw new Error(`no word matches ${pattern}`);
  return word;
}

/** By name of the field: what goes with all the others where a rule says so that no schema can. */
const RIGHT: Readonly<Record<string, unknown>> = { zone: 'UTC', everyMs: 0, how: 'drain' };
/** What goes with none of the others: a budget is a failback's, a grace a drain's. */
const APART = new Set(['budgetMs']);

/** A value with every field there is, but for what goes with none of the others. */
export function fullValue(node: SchemaNode): unknown {
  const [first] = node.anyOf ?? [];
  if (first !== undefined) return fullValue(first);
  if (node.enum !== undefined) return node.enum[0];
  switch (node.type) {
    case 'object': {
      const { additionalProperties: rest, propertyNames } = node;
      if (typeof rest === 'object') return { [wordFor(propertyNames ?? {})]: fullValue(rest) };
      const fields = Object.entries(node.properties ?? {}).filter(([name]) => !APART.has(name));
      return Object.fromEntries(fields.map(([name, child]) => [name, RIGHT[name] ?? fullValue(child)]));
    }
    case 'array':
      return [fullValue(node.items ?? {})];
    case 'integer':
      return Math.max(node.minimum ?? 1, 1);
    case 'number':
      return node.maximum ?? 1;
    case 'boolean':
      return true;
    default:
      return wordFor(node);
  }
}

export interface BadValue {
  readonly what: string;
  /** Name of the field that is at fault, as the API writes it; '' for the whole. */
  readonly field: string;
  readonly value: unknown;
}

const KINDS: Readonly<Record<string, unknown>> = {
  null: null,
  'true or false': true,
  'a number': 7,
  text: 'text',
  'a list': [],
  'an object': {},
};
const FITS: Readonly<Record<string, readonly string[]>> = {
  string: ['text'],
  integer: ['a number'],
  number: ['a number'],
  boolean: ['true or false'],
  array: ['a list'],
  object: ['an object'],
};

function* wrongKinds(node: SchemaNode): Generator<readonly [string, unknown]> {
  const types = (node.anyOf ?? [node]).map((one) => one.type ?? 'string');
  const fit = types.flatMap((type) => FITS[type] ?? []);
  for (const [kind, value] of Object.entries(KINDS)) if (!fit.includes(kind)) yield [kind, value];
}

function* wrongTexts(node: SchemaNode): Generator<readonly [string, unknown]> {
  if (node.enum !== undefined) yield ['not one of the list', 'nonsense'];
  if (node.pattern !== undefined) {
    // A pattern of free text takes these, and trims what is at the end.
    const isFree = new RegExp(node.pattern).test('NOT OK!');
    if (!isFree) yield ['of other characters', 'NOT OK!'];
    yield ['with a line break', isFree ? 'a\nb' : 'a\n'];
    yield ['with a zero byte', 'a\u0000'];
  }
  if (node.format === 'uri') {
    yield ['no address', 'not an address'];
    yield ['a script', 'javascript:alert(1)'];
  }
  if ((node.minLength ?? 0) > 0) yield ['empty', ''];
  if (node.enum === undefined) yield ['far too long', 'a'.repeat(Math.max(node.maxLength ?? 0, 500) + 1)];
}

function* wrongNumbers(node: SchemaNode): Generator<readonly [string, unknown]> {
  yield ['a number as text', '7'];
  yield ['NaN as text', 'NaN'];
  yield ['absurdly large', 1e300];
  if (node.type === 'integer') yield ['a fraction', 1.5];
  const least = node.minimum ?? node.exclusiveMinimum;
  if (least !== undefined) yield ['too small', node.minimum === undefined ? least : least - 1];
  if (node.maximum !== undefined) yield ['too large', node.maximum + 1];
}

const join = (path: string, step: string): string => (path === '' ? step : `${path}.${step}`);

function* inObject(node: SchemaNode, value: object, path: string): Generator<BadValue> {
  const { additionalProperties: rest, propertyNames } = node;
  if (typeof rest === 'object') {
    const [[key, inner] = ['', undefined]] = Object.entries(value);
    for (const bad of badValues(rest, inner, join(path, key))) yield { ...bad, value: { [key]: bad.value } };
    if (propertyNames?.pattern !== undefined)
      yield { what: 'a bad name', field: join(path, 'BAD NAME'), value: { 'BAD NAME': inner } };
    return;
  }
  yield { what: 'an unknown field', field: join(path, 'unknown'), value: { ...value, unknown: 1 } };
  for (const name of node.required ?? []) {
    const { [name]: _, ...others } = value as Record<string, unknown>;
    yield { what: 'missing', field: join(path, name), value: others };
  }
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    const inner = (value as Record<string, unknown>)[name];
    for (const bad of badValues(child, inner, join(path, name)))
      yield { ...bad, value: { ...value, [name]: bad.value } };
  }
}

function* inArray(node: SchemaNode, value: readonly unknown[], path: string): Generator<BadValue> {
  const [inner] = value;
  if ((node.minItems ?? 0) > 0) yield { what: 'an empty list', field: path, value: [] };
  if (node.maxItems !== undefined)
    yield { what: 'a list too long', field: path, value: Array(node.maxItems + 1).fill(inner) };
  for (const bad of badValues(node.items ?? {}, inner, `${path}[0]`)) yield { ...bad, value: [bad.value] };
}

/** Everything of which one thing is wrong; `value` is a whole that is right. */
export function* badValues(node: SchemaNode, value: unknown, path = ''): Generator<BadValue> {
  for (const [what, bad] of wrongKinds(node)) yield { what: `is ${what}`, field: path, value: bad };
  if (node.anyOf !== undefined) return;
  const numeric = node.type === 'integer' || node.type === 'number';
  if (numeric) for (const [what, bad] of wrongNumbers(node)) yield { what, field: path, value: bad };
  if (node.type === 'string')
    for (const [what, bad] of wrongTexts(node)) yield { what, field: path, value: bad };
  if (node.type === 'array' && Array.isArray(value)) yield* inArray(node, value, path);
  if (node.type === 'object' && typeof value === 'object' && value !== null)
    yield* inObject(node, value, path);
}
