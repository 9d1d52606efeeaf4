import { unrehearsed } from '../../failover/drill-schedule.ts';
import {
  isAlarming,
  type Readiness,
  type ReadinessFacts,
  readinessOf,
  type Watch,
  wholeReadinessOf,
} from '../../failover/readiness.ts';
import { type Overrides, objectionsTo } from '../../failover/rules.ts';
import { failsAfterMs } from '../../health/detector.ts';
import { isAway, labscapeSight } from '../../health/labscape-sight.ts';
import { negotiate } from '../../protocol/negotiate.ts';
import type { Drill } from '../../schemas/drills.ts';
import type { ReadinessCounts, ReadinessReason, ReadinessState } from '../../schemas/readiness.ts';
import { RULES } from '../../schemas/rule.ts';
import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import { type LabscapeReadinessRow, type ReadinessRow, writeReadiness } from '../../store/fleet/readiness.ts';
import type { FleetResource } from '../fleet.ts';
import { type Heard, leaseEndMs } from '../health/hearing.ts';
import { labscapeHeard, type Sight } from '../health/sight.ts';
import { factsAmong, peersOf } from '../recovery/decision-facts.ts';
import { overridesIn } from '../recovery/overrides.ts';
import type { Runtime } from '../runtime.ts';
import { bookOf, type ReadinessBook } from './book.ts';

/** What the sweep has heard of all. */
export interface Senses {
  readonly heard: readonly Heard[];
  readonly sight: Sight;
}

/** The last drill of each labscape that wants any. */
export type Drilled = ReadonlyMap<string, Drill>;

const COUNTED: Readonly<Record<ReadinessState, keyof ReadinessCounts>> = {
  ready: 'ready',
  'at-risk': 'atRisk',
  'not-ready': 'notReady',
  unknown: 'unknown',
};

/** Whose failure would cost somebody something. */
const takesPart = ({ status, groups }: FleetResource): boolean =>
  groups.length > 0 || ['healthy', 'suspect', 'failed', 'recovering'].includes(status);

const watchOf = ({ beats, readAt }: Heard, id: string, silenceMs: number): Watch => {
  const pulse = beats.pulses.get(id);
  if (pulse === undefined) return 'unwatched';
  return readAt - pulse.lastAt > silenceMs ? 'silent' : 'heard';
};

/** One labscape as it is looked at. */
interface Scene {
  readonly labscape: LabscapeRecord;
  readonly own: readonly FleetResource[];
  readonly heard: Heard;
  readonly sight: Sight;
  readonly healthy: number;
  readonly overrides: (resource: string) => Overrides;
  readonly asks: boolean;
  readonly lastDrill: Drill | undefined;
  readonly now: number;
}

const hostFacts = ({ labscape, heard, sight }: Scene) => ({
  // One late beat of all of them is no state of affairs.
  frozen: sight.frozen.has(labscape.id) && isAway(labscapeHeard(heard), heard.readAt),
  fencing: labscape.policy.fencing,
  speaks: negotiate(labscape.protocolVersions) !== undefined,
  beatMs: labscape.policy.beatMs,
});

const silenceOf = ({ heard: { beats, policy } }: Scene, id: string): number => {
  const pulse = beats.pulses.get(id);
  const least = leaseEndMs(policy);
  return pulse === undefined ? least : failsAfterMs(pulse, { beatMs: policy.beatMs, leaseEndMs: least });
};

const peersIn = ({ labscape, own, now }: Scene) => peersOf(own, labscape.policy.coolDownMs, now);

const resourceFacts = (
  scene: Scene,
  book: ReadinessBook,
  peers: ReturnType<typeof peersIn>,
  resource: FleetResource,
): ReadinessFacts => {
  const { labscape, healthy, now } = scene;
  const facts = factsAmong({ peers, healthy }, labscape, resource, 'detector', now, undefined);
  const silenceMs = silenceOf(scene, resource.id);
  return {
    ...hostFacts(scene),
    fit: book.fitOf(resource.id),
    objections: objectionsTo(facts, scene.overrides(resource.id)),
    watch: watchOf(scene.heard, resource.id, silenceMs),
    holds: resource.groups.length > 0,
    silenceMs,
  };
};

/** All of it down at once, as the rules see that. */
const wholeOf = (scene: Scene, book: ReadinessBook): Readiness => {
  const { labscape, own, healthy, now, overrides, asks } = scene;
  const holding = own.filter(({ groups }) => groups.length > 0);
  const watches = holding.map(({ id }) => watchOf(scene.heard, id, silenceOf(scene, id)));
  const count = (watch: Watch): number => watches.filter((one) => one === watch).length;
  const [first] = holding.length > 0 ? holding : own;
  const peers = peersIn(scene);
  const elsewhere = healthy - own.filter(({ status }) => status === 'healthy').length;
  const objections =
    first === undefined
      ? []
      : objectionsTo(
          {
            ...factsAmong({ peers, healthy }, labscape, first, 'detector', now, undefined),
            ...{ status: 'failed', lastRecoveryEndedAt: undefined, targets: elsewhere },
            ...{ labscapeUnhealthy: peers.counted, groups: holding.length },
          },
          overrides(first.id),
        );
  return wholeReadinessOf({
    ...hostFacts(scene),
    ...{ fit: book.wholeFitOf(labscape.id), objections, holds: holding.length > 0, asks },
    unrehearsed: unrehearsed(labscape.policy.drills, scene.lastDrill, now),
    watched: { heard: count('heard'), silent: count('silent'), unwatched: count('unwatched') },
    silenceMs: Math.max(0, ...own.map(({ id }) => silenceOf(scene, id))),
  });
};

const judged = (
  labscape: string,
  before: ReadinessRow | LabscapeReadinessRow | undefined,
  is: Readiness,
  now: number,
) => ({
  labscape,
  state: is.state,
  reasons: [...is.reasons],
  since: before?.state === is.state ? before.since : now,
  ...(is.movedWithinMs === undefined ? {} : { movedWithinMs: is.movedWithinMs }),
});

const same = (a: ReadinessRow | undefined, b: ReadinessRow): boolean =>
  a !== undefined &&
  a.state === b.state &&
  a.movedWithinMs === b.movedWithinMs &&
  JSON.stringify(a.reasons) === JSON.stringify(b.reasons);

interface Looked {
  readonly rows: readonly ReadinessRow[];
  readonly changed: readonly ReadinessRow[];
  readonly labscape: LabscapeReadinessRow;
}

const lookAt = (scene: Scene, book: ReadinessBook): Looked => {
  const { labscape, own, now } = scene;
  const counts = { ready: 0, atRisk: 0, notReady: 0, unknown: 0 };
  let [alarming, behind] = [0, 0];
  const peers = peersIn(scene);
  const rows = own.map((resource): ReadinessRow => {
    const is = readinessOf(resourceFacts(scene, book, peers, resource));
    counts[COUNTED[is.state]] += 1;
    alarming += Number(isAlarming(is, resource.groups.length > 0));
    behind += Number(book.isBehind(resource.id));
    return { resource: resource.id, ...judged(labscape.id, book.rows.get(resource.id), is, now) };
  });
  const here = new Set(own.map(({ id }) => id));
  const gone = [...book.rows.values()]
    .filter((row) => row.labscape === labscape.id && !here.has(row.resource))
    .map((row) => ({ ...row, since: now, gone: true }));
  const before = book.labscapeRows.get(labscape.id);
  const whole = judged(labscape.id, before, wholeOf(scene, book), now);
  return {
    rows,
    changed: [...rows.filter((row) => !same(book.rows.get(row.resource), row)), ...gone],
    labscape: {
      ...{ ...whole, checkedAt: now, behind, resources: counts, alarming },
      ...(scene.lastDrill === undefined ? {} : { lastDrill: scene.lastDrill }),
    },
  };
};

const NOTHING_ASIDE = (): Overrides => new Map();
const isRule = ({ code }: ReadinessReason): boolean => RULES.some((rule) => rule === code);

/** Most of the time no rule objects, and nobody need be asked what is set aside. */
const settled = async (runtime: Runtime, scene: Scene, book: ReadinessBook): Promise<Looked> => {
  const look = lookAt(scene, book);
  if (![...look.rows, look.labscape].some(({ reasons }) => reasons.some(isRule))) return look;
  return lookAt({ ...scene, overrides: await overridesIn(runtime, scene.labscape.id) }, book);
};

/**
 * Looks at what every resource's failure, and every labscape's, would come to now, and writes down what has changed since
 * the last look. Bounded: on a large fleet what has become doubtful is planned over several looks, see
 * lib/services/readiness/book.ts. The labscapes' rows as written.
 */
export const keepReadiness = async (
  runtime: Runtime,
  { heard, sight }: Senses,
  drilled: Drilled,
): Promise<readonly LabscapeReadinessRow[]> => {
  const { labscapes, resources } = await runtime.fleet.snapshot();
  const inService = resources.filter(takesPart);
  const book = bookOf(runtime);
  await book.load(runtime, [...labscapes.keys()]);
  await book.plan(runtime, inService);
  const now = runtime.clock.now();
  const healthy = inService.filter(({ status }) => status === 'healthy').length;
  const byLabscape = Map.groupBy(inService, ({ labscape }) => labscape);
  const voices = heard.map(labscapeHeard);
  const looks = await Promise.all(
    heard.flatMap((one, index) => {
      const labscape = labscapes.get(one.beats.labscape);
      const voice = voices[index];
      if (labscape === undefined || voice === undefined) return [];
      const { asks } = labscapeSight(voice, voices, one.readAt);
      const own = byLabscape.get(labscape.id) ?? [];
      const lastDrill = drilled.get(labscape.id);
      const scene = {
        labscape,
        own,
        heard: one,
        sight,
        healthy,
        overrides: NOTHING_ASIDE,
        asks,
        lastDrill,
        now,
      };
      return settled(runtime, scene, book);
    }),
  );
  const rows = looks.map(({ labscape }) => labscape);
  const changed = looks.flatMap((look) => look.changed);
  await writeReadiness(runtime.store, changed, rows);
  for (const row of changed)
    if (row.gone === true) book.rows.delete(row.resource);
    else book.rows.set(row.resource, row);
  for (const row of rows) book.labscapeRows.set(row.labscape, row);
  return rows;
};
