import type { LocalRoute } from '../template/template-routes.ts';

export interface RouteMatch {
  readonly route: LocalRoute;
  readonly parameters: Readonly<Record<string, string>>;
}

interface Entry {
  readonly method: string;
  readonly segments: readonly string[];
  readonly route: LocalRoute;
}

/** API Gateway's choice among the template's routes: by method and segments, a literal before a `{parameter}`. */
export class RouteTable {
  readonly #entries: readonly Entry[];

  constructor(routes: readonly LocalRoute[]) {
    this.#entries = routes.map((route) => {
      const [method = '', path = ''] = route.key.split(' ');
      if (!path.startsWith('/') || method === 'ANY' || path.includes('+}'))
        throw new Error(`route ${route.key} is not emulated`);
      return { method, segments: path.slice(1).split('/'), route };
    });
  }

  match(method: string, path: string): RouteMatch | undefined {
    const segments = path.slice(1).split('/');
    let best: Entry | undefined;
    for (const entry of this.#entries)
      if (
        entry.method === method &&
        fits(entry.segments, segments) &&
        (best === undefined || isCloser(entry, best))
      )
        best = entry;
    if (best === undefined) return undefined;
    const parameters: Record<string, string> = {};
    for (const [i, segment] of best.segments.entries())
      if (isParameter(segment)) parameters[segment.slice(1, -1)] = segments[i] ?? '';
    return { route: best.route, parameters };
  }
}

const isParameter = (segment: string) => segment.startsWith('{');

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, i) => (isParameter(part) ? segments[i] !== '' : part === segments[i]))
  );
}

/** At the first segment in which they differ in kind, the literal wins. */
function isCloser(a: Entry, b: Entry): boolean {
  const i = a.segments.findIndex((segment, at) => isParameter(segment) !== isParameter(b.segments[at] ?? ''));
  return i >= 0 && !isParameter(a.segments[i] ?? '');
}
