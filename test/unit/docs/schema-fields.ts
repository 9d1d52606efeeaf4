import * as z from 'zod';

/** One value of a schema, as a page must tell of it. */
export interface SchemaField {
  readonly path: string;
  /** `required`, `none`, or the default's own words. */
  readonly default: string;
  /** Undefined: free text tells. */
  readonly mayBe: string | undefined;
}

type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const rangeOf = ({ minimum, exclusiveMinimum, maximum, enum: words }: Node): string | undefined => {
  if (Array.isArray(words)) return words.join(', ');
  if (maximum === undefined) return undefined;
  return exclusiveMinimum === undefined
    ? `${minimum} to ${maximum}`
    : `above ${exclusiveMinimum} to ${maximum}`;
};

const wordsOf = (value: unknown): string =>
  Array.isArray(value) ? value.join(', ') : typeof value === 'object' ? JSON.stringify(value) : String(value);

function fieldsUnder(node: Node, path: string, required: boolean): SchemaField[] {
  const { type, properties, items } = node;
  if (type === 'object' && isNode(properties)) {
    const needed = Array.isArray(node['required']) ? node['required'] : [];
    return Object.entries(properties).flatMap(([key, value]) =>
      isNode(value) ? fieldsUnder(value, path === '' ? key : `${path}.${key}`, needed.includes(key)) : [],
    );
  }
  if (type === 'array' && isNode(items) && items['type'] === 'object')
    return fieldsUnder(items, `${path}[]`, required);
  const fallback =
    node['default'] === undefined ? (required ? 'required' : 'none') : wordsOf(node['default']);
  return [{ path, default: fallback, mayBe: rangeOf(node) }];
}

/** Every value that an input of the schema may hold, by its path. */
export const fieldsOf = (schema: z.ZodType): SchemaField[] =>
  fieldsUnder(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), '', true);
