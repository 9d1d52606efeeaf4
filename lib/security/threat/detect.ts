import type { Evidence, IncidentKind, SubjectType } from '../../schemas/incident.ts';
import type { Habit } from './habits.ts';
import { type Incident, incidentId, KINDS, PERIOD_MS } from './incident.ts';
import type { Signal, SignalRow } from './signals.ts';
import { OTHERS, SAMPLES_MAX } from './tally.ts';

/** A row as it was written, with the key and the time of its tally. */
export interface Tallied extends SignalRow {
  readonly key: string;
  readonly atMs: number;
}

/** Something is going on: what would be an incident. */
export interface Finding {
  readonly id: string;
  readonly kind: IncidentKind;
  readonly type: SubjectType;
  readonly subject: string;
  readonly count: number;
  /** Of these, what the incident has not counted yet. */
  readonly added: number;
  readonly countedTo: string;
  readonly lastAt: number;
  readonly evidence: Evidence;
  readonly guarded: boolean;
}

/** More networks than this with one kind of finding are told as one: `many`. */
const NETWORKS_MAX = 5;
/** So many principals of one tenant, or labscape, with one kind of finding are told as one, of the tenant. */
const MASS = 3;
export const MANY = 'many';

const KIND_OF = new Map<Signal, IncidentKind>(
  Object.entries(KINDS).map(([kind, { signal }]) => [signal, kind as IncidentKind]),
);

const sample = (values: readonly string[]): string[] => [...new Set(values)].slice(0, SAMPLES_MAX);

const evidenceOf = (rows: readonly Tallied[]): Evidence => ({
  codes: sample(rows.flatMap(({ codes }) => codes)),
  routes: sample(rows.flatMap(({ routes }) => routes)),
  networks: sample(rows.flatMap(({ networks }) => networks)),
  labscapes: sample(rows.flatMap(({ labscapes }) => labscapes)),
  scopes: [],
  principals: sample(
    rows.flatMap(({ subject }) => (subject.startsWith('p:') ? [subject.slice('p:'.length)] : [])),
  ),
});

/** Type and name of a row's subject. */
function subjectOf({ subject }: Pick<SignalRow, 'subject'>): { type: SubjectType; name: string } {
  if (subject.startsWith('p:')) return { type: 'principal', name: subject.slice(2) };
  return { type: 'network', name: subject === OTHERS ? MANY : subject.slice(2) };
}

interface Group {
  readonly kind: IncidentKind;
  readonly type: SubjectType;
  readonly name: string;
  readonly rows: Tallied[];
  readonly count: number;
  readonly scopes?: readonly string[];
}

/** Of one subject, what came since its incident was resolved. */
function grouped(rows: readonly Tallied[], incidents: ReadonlyMap<string, Incident>): Group[] {
  const groups = new Map<string, Group & { count: number }>();
  for (const row of rows) {
    const kind = KIND_OF.get(row.signal);
    if (kind === undefined || kind === 'two-labscapes' || kind === 'unusual-scope') continue;
    const { type, name } = subjectOf(row);
    const id = incidentId(kind, type, name);
    if (row.atMs <= (incidents.get(id)?.resolvedAt ?? 0)) continue;
    const known = groups.get(id) ?? { kind, type, name, rows: [], count: 0 };
    known.rows.push(row);
    known.count += row.count;
    groups.set(id, known);
  }
  return [...groups.values()].filter(({ kind, count }) => count >= KINDS[kind].from);
}

/** Networks at which agents of a labscape are at home, by what others than `principal` were seen to do. */
function homesWithout(places: readonly Tallied[], principal: string): Map<string, Set<string>> {
  const homes = new Map<string, Set<string>>();
  for (const { subject, networks, labscapes } of places) {
    if (subject === principal) continue;
    for (const network of networks) {
      const here = homes.get(network) ?? new Set();
      for (const labscape of labscapes) here.add(labscape);
      homes.set(network, here);
    }
  }
  return homes;
}

/**
 * Labscapes from which one principal acts: those it claims, and those at whose networks it was seen where nobody else
 * of its own labscape is at home. Behind one address all are at home, and nothing is found.
 */
function labscapesOf(places: readonly Tallied[], principal: string): string[] {
  const own = places.filter(({ subject }) => subject === principal);
  const claimed = new Set(own.flatMap(({ labscapes }) => labscapes));
  const homes = homesWithout(places, principal);
  const networks = [...new Set(own.flatMap((row) => row.networks))];
  // One that is at one place only is at home there: it is others who visit it.
  const visited = (networks.length < 2 ? [] : networks).flatMap((network) => {
    const here = [...(homes.get(network) ?? [])];
    return here.some((labscape) => claimed.has(labscape)) ? [] : here.slice(0, 1);
  });
  return claimed.size === 0 ? [] : [...new Set([...claimed, ...visited])];
}

function twoLabscapes(rows: readonly Tallied[], incidents: ReadonlyMap<string, Incident>): Group[] {
  const places = rows.filter(({ signal }) => signal === 'place');
  const principals = new Set(places.map(({ subject }) => subject).filter((name) => name.startsWith('p:')));
  return [...principals].flatMap((subject): Group[] => {
    const { type, name } = subjectOf({ subject });
    const since = incidents.get(incidentId('two-labscapes', type, name))?.resolvedAt ?? 0;
    const young = places.filter(({ atMs }) => atMs > since);
    const labscapes = labscapesOf(young, subject);
    if (labscapes.length < KINDS['two-labscapes'].from) return [];
    const own = young.filter((row) => row.subject === subject).map((row) => ({ ...row, labscapes }));
    return [{ kind: 'two-labscapes', type, name, rows: own, count: labscapes.length }];
  });
}

function unusualScopes(
  rows: readonly Tallied[],
  incidents: ReadonlyMap<string, Incident>,
  unusual: ReadonlyMap<string, Habit['recent']>,
): Group[] {
  return [...unusual].flatMap(([name, recent]): Group[] => {
    const since = incidents.get(incidentId('unusual-scope', 'principal', name))?.resolvedAt ?? 0;
    const scopes = recent.filter(({ at }) => at > since).map(({ scope }) => scope);
    if (scopes.length < KINDS['unusual-scope'].from) return [];
    const own = rows.filter(({ signal, subject }) => signal === 'scope' && subject === `p:${name}`);
    if (own.length === 0) return [];
    return [{ kind: 'unusual-scope', type: 'principal', name, rows: own, count: scopes.length, scopes }];
  });
}

/** Members of one tenant or labscape that do the same are one finding. */
function gathered(groups: readonly Group[], type: 'tenant' | 'labscape' | 'network'): Group[] {
  const byOwner = new Map<string, Group[]>();
  const alone: Group[] = [];
  for (const group of groups) {
    const { tenant, labscapes } = group.rows[0] ?? { tenant: undefined, labscapes: [] };
    const owner =
      type === 'network'
        ? MANY
        : type === 'tenant'
          ? tenant
          : labscapes.length === 1
            ? labscapes[0]
            : undefined;
    const fits = type === 'network' ? group.type === 'network' : group.type === 'principal';
    if (!fits || owner === undefined) {
      alone.push(group);
      continue;
    }
    const key = `${group.kind} ${owner}`;
    byOwner.set(key, [...(byOwner.get(key) ?? []), group]);
  }
  const least = type === 'network' ? NETWORKS_MAX + 1 : MASS;
  const together = [...byOwner].flatMap(([key, members]): Group[] => {
    const [first] = members;
    if (first === undefined || members.length < least) return members;
    const rows = members.flatMap((member) => member.rows);
    const count = members.reduce((sum, member) => sum + member.count, 0);
    return [{ kind: first.kind, type, name: key.slice(key.indexOf(' ') + 1), rows, count }];
  });
  return [...alone, ...together];
}

const later = (a: string, b: string): string => (a < b ? b : a);

function findingOf(group: Group, incidents: ReadonlyMap<string, Incident>): Finding {
  const { kind, type, name, rows, count, scopes = [] } = group;
  const id = incidentId(kind, type, name);
  const countedTo = incidents.get(id)?.countedTo ?? '';
  const fresh = rows.filter(({ key }) => key > countedTo);
  return {
    ...{ id, kind, type, subject: name, count },
    added: fresh.reduce((sum, row) => sum + row.count, 0),
    countedTo: rows.map(({ key }) => key).reduce(later, countedTo),
    lastAt: Math.max(...rows.map(({ atMs }) => atMs)),
    evidence: { ...evidenceOf(rows), scopes: sample(scopes) },
    guarded: type === 'principal' && rows.some(({ guarded }) => guarded),
  };
}

/** Of many together, not all of it came before their incident was resolved. */
function isNew({ kind, type, name, rows }: Group, incidents: ReadonlyMap<string, Incident>): boolean {
  const since = incidents.get(incidentId(kind, type, name))?.resolvedAt;
  if (since === undefined) return true;
  const fresh = rows.filter(({ atMs }) => atMs > since);
  if (kind === 'two-labscapes' || kind === 'unusual-scope') return fresh.length > 0;
  return fresh.reduce((sum, { count }) => sum + count, 0) >= KINDS[kind].from;
}

/**
 * What the signals of the last PERIOD_MS come to. `unusual`: scopes by principal, as `learn` finds them. Pure; the
 * order of rows has no influence on what is found.
 */
export function detect(
  rows: readonly Tallied[],
  incidents: ReadonlyMap<string, Incident>,
  unusual: ReadonlyMap<string, Habit['recent']>,
  nowMs: number,
): readonly Finding[] {
  const young = rows.filter(({ atMs }) => nowMs - atMs < PERIOD_MS);
  const groups = [
    ...grouped(young, incidents),
    ...twoLabscapes(young, incidents),
    ...unusualScopes(young, incidents, unusual),
  ];
  const told = gathered(gathered(gathered(groups, 'tenant'), 'labscape'), 'network');
  return told
    .filter((group) => isNew(group, incidents))
    .map((group) => findingOf(group, incidents))
    .toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}
