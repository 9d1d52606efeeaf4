/** One field that the file wants to be another. */
export interface FieldChange {
  /** As in `policy.rebalance.mode`. */
  readonly path: string;
  /** Absent: nothing is there yet. */
  readonly from?: unknown;
  readonly to: unknown;
}

type Json = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Taken as one value: what is not in the file's map is to be gone. */
const WHOLE: ReadonlySet<string> = new Set(['labels', 'spec', 'constraints', 'devices']);

/** The same value in the same words, whatever the order of its keys. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isRecord(value)) return JSON.stringify(value) ?? 'null';
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  return `{${keys
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
    .join()}}`;
}

/** Every field that the file names and that is something else now; what the file leaves out is left alone. */
export function changedFields(declared: Json, current: Json, under = ''): FieldChange[] {
  return Object.entries(declared).flatMap(([key, to]) => {
    if (to === undefined) return [];
    const path = `${under}${key}`;
    const from = current[key];
    if (isRecord(to) && !WHOLE.has(key)) return changedFields(to, isRecord(from) ? from : {}, `${path}.`);
    if (canonical(from) === canonical(to)) return [];
    return [from === undefined ? { path, to } : { path, from, to }];
  });
}

/** The changed fields as a nested object again: the body of a PATCH. */
export function patchOf(changes: readonly FieldChange[]): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const { path, to } of changes) {
    const parts = path.split('.');
    const last = parts.pop() ?? path;
    let at = patch;
    for (const part of parts) {
      const next = isRecord(at[part]) ? { ...at[part] } : {};
      at[part] = next;
      at = next;
    }
    at[last] = to;
  }
  return patch;
}
