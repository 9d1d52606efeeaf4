import { ProblemError } from '../../errors.ts';
import { QUOTED_MAX, type Quote, type QuoteInput } from '../../schemas/quote.ts';
import type { ResourceStatus } from '../../schemas/resource.ts';
import type { ResourceRecord } from '../../store/fleet/resources.ts';
import type { FleetSnapshot } from '../fleet.ts';
import { getResource } from '../registry/resources.ts';
import type { Runtime } from '../runtime.ts';
import { planGracefully } from './graceful-plan.ts';
import { type Held, holdingsOf, quoteHeld } from './quote.ts';

/** Raises invalid-input (more resources than one quote may hold), not-found. */
const namedBy = async (
  runtime: Runtime,
  { resources, labscape }: QuoteInput,
): Promise<readonly ResourceRecord[]> => {
  const wanted = new Set(resources);
  if (labscape !== undefined) {
    const { labscapes, resources: fleet } = await runtime.fleet.snapshot(0);
    if (!labscapes.has(labscape)) throw new ProblemError('not-found', `no labscape ${labscape} has joined`);
    for (const one of fleet) if (one.labscape === labscape && one.groups.length > 0) wanted.add(one.id);
  }
  if (wanted.size > QUOTED_MAX)
    throw new ProblemError(
      'invalid-input',
      `${wanted.size} resources with work are named, a quote plans for ${QUOTED_MAX}: name fewer`,
    );
  return Promise.all([...wanted].map((id) => getResource(runtime, id)));
};

/** The quote of a drain with a grace: what would move while the resources still run, and behind their fences the rest. */
export const quoteDrain = (
  runtime: Runtime,
  held: readonly Held[],
  snapshot: FleetSnapshot,
): Promise<Quote> => {
  const away = new Set(held.map(({ resource }) => resource.id));
  const others = snapshot.resources.filter(({ id }) => !away.has(id));
  const groups = held.flatMap((one) => one.groups);
  return quoteHeld(runtime, held, snapshot, planGracefully(groups, others, runtime.clock.now()));
};

const RUNS: ReadonlySet<ResourceStatus> = new Set(['healthy', 'suspect']);

/** The fleet once all that is asked about is down: of a labscape what holds nothing, too, which takes no work then. */
const withoutAsked = (
  { resources, ...rest }: FleetSnapshot,
  { resources: named = [], labscape }: QuoteInput,
): FleetSnapshot => {
  const asked = new Set(named);
  return {
    ...rest,
    resources: resources.map((one) =>
      RUNS.has(one.status) && (asked.has(one.id) || one.labscape === labscape)
        ? { ...one, status: 'failed' }
        : one,
    ),
  };
};

/** What recovering or draining these resources now would do, and what the rules say to it. Changes nothing. */
export const quote = async (runtime: Runtime, input: QuoteInput): Promise<Quote> => {
  const resources = await namedBy(runtime, input);
  const [held, snapshot] = await Promise.all([
    Promise.all(resources.map((resource) => holdingsOf(runtime, resource))),
    runtime.fleet.snapshot(0),
  ]);
  const fleet = withoutAsked(snapshot, input);
  return input.graceful === true ? quoteDrain(runtime, held, fleet) : quoteHeld(runtime, held, fleet);
};
