import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';
import { wordsOfIssue } from '../../schemas/issue-words.ts';
import { FleetFile } from './schema.ts';

export interface FileFault {
  /** From 1; absent where the file as a whole is meant. */
  readonly line?: number;
  /** As in `resources.north-1.capacity.memory`. */
  readonly path: string;
  readonly message: string;
}

/** The file is not what it should be: says every fault at once. */
export class FleetFileError extends Error {
  override readonly name = 'FleetFileError';
  readonly faults: readonly FileFault[];

  constructor(file: string, faults: readonly FileFault[]) {
    super(faults.map((fault) => `${file}${wordsOf(fault)}`).join('\n'));
    this.faults = faults;
  }
}

const wordsOf = ({ line, path, message }: FileFault): string =>
  `${line === undefined ? '' : `:${line}`}: ${path === '' ? '' : `${path}: `}${message}`;

/** Aliases may repeat a part of the file, but not blow it up. */
const ALIASES_MAX = 100;

/** Reads a fleet file; `file` is its name in faults. Throws FleetFileError with every fault and its line. */
export const parseFleetFile = (text: string, file: string): FleetFile => parseYamlAs(FleetFile, text, file);

/** Reads YAML (JSON is YAML, too) of that shape. Throws FleetFileError. */
export function parseYamlAs<S extends z.ZodType>(shape: S, text: string, file: string): z.output<S> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number): number => lines.linePos(offset).line;
  if (document.errors.length > 0) {
    throw new FleetFileError(
      file,
      document.errors.map(({ pos: [at], message }) => ({ line: lineAt(at), path: '', message })),
    );
  }
  const parsed = shape.safeParse(contentOf(document, file), { error: wordsOfIssue });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap(placesOf).map(({ path, message }): FileFault => {
    const offset = offsetOf(document, path);
    const words = { path: path.join('.'), message };
    return offset === undefined ? words : { line: lineAt(offset), ...words };
  });
  throw new FleetFileError(file, faults);
}

function contentOf(document: Document.Parsed, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (error) {
    throw new FleetFileError(file, [
      { path: '', message: error instanceof Error ? error.message : String(error) },
    ]);
  }
}

interface Place {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What is wrong, at the narrowest place that the fault is about. */
function placesOf(issue: z.core.$ZodIssue): Place[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: 'is not known here' }));
  if (issue.code === 'invalid_key')
    return [{ path: issue.path, message: issue.issues[0]?.message ?? issue.message }];
  return [{ path: issue.path, message: issue.message }];
}

/** Where the deepest part of the path that is in the file begins. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0];
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (pair === undefined) break;
      offset = isNode(pair.key) ? pair.key.range?.[0] : offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(part)];
      if (!isNode(item)) break;
      offset = item.range?.[0];
      node = item;
    } else break;
  }
  return offset;
}
