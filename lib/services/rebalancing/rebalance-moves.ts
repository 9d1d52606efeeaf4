import { movesWithin } from '../../optimisation/move-window.ts';
import type { RebalanceAnswer } from '../../schemas/rebalance.ts';
import { readLabscape } from '../../store/fleet/labscapes.ts';
import { readResource } from '../../store/fleet/resources.ts';
import { logMoveWrite, MOVE_LOG, readMoveLogs } from '../../store/placement/move-logs.ts';
import type { Requester } from '../origin.ts';
import { pauseAfterRace } from '../retry.ts';
import type { Runtime } from '../runtime.ts';
import { refusesMove, type StepMove } from './rebalance-plan.ts';
import { type Relocated, relocateGroup } from './relocate.ts';

/** A group, where it is, and where it shall be. */
export type PlannedMove = Pick<StepMove, 'group' | 'from' | 'to'>;
/** What its event says of why: for whose sake. */
type About = Readonly<Record<string, unknown>>;

/** What became of a planned move. */
export type Outcome = Pick<RebalanceAnswer['moves'][number], 'outcome' | 'reason' | 'event'>;

/** Another step of the same labscape, or a transaction on the same items, may come between so often. */
const TRIES_MAX = 4;

const skipped = (reason: string): Outcome => ({ outcome: 'skipped', reason });

/** Only what the next try reads anew: another move was counted, or something came to the source or left it. */
const mayTryAgain = (result: Exclude<Relocated, { kind: 'moved' }>): boolean =>
  result.kind === 'raced' ||
  (result.by.length > 0 && result.by.every((name) => name === MOVE_LOG || name === 'source'));

/**
 * One move as planned: the group at the epoch and load that the plan saw, to a target that still takes it, and one more
 * in the window of the labscape it leaves, all in one transaction. A lost race skips it.
 */
export const carryOut = async (
  runtime: Runtime,
  move: PlannedMove,
  about: About,
  requester: Requester,
): Promise<Outcome> => {
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    const result = await tryOnce(runtime, move, about, requester);
    if ('outcome' in result) return result;
    if (result.kind === 'moved')
      return { outcome: 'moved', event: { entity: result.event.entity, rev: result.event.rev } };
    if (!mayTryAgain(result)) return skipped('lost-race');
    await pauseAfterRace(runtime, attempt);
  }
  return skipped('lost-race');
};

const tryOnce = async (
  runtime: Runtime,
  { group, from, to }: PlannedMove,
  about: About,
  requester: Requester,
): Promise<Relocated | Outcome> => {
  const [home, away] = [runtime.fleet.seen(from)?.labscape, runtime.fleet.seen(to)];
  if (home === undefined || away === undefined) return skipped('gone');
  const [source, fresh, labscape, logs] = await Promise.all([
    readResource(runtime.store, home, from),
    readResource(runtime.store, away.labscape, to),
    readLabscape(runtime.store, home),
    readMoveLogs(runtime.store, [home]),
  ]);
  const log = logs.get(home);
  if (source === undefined || fresh === undefined || labscape === undefined || log === undefined)
    return skipped('gone');
  if (source.status !== 'healthy' || source.recovery !== undefined || source.moving)
    return skipped('not-healthy');
  const target = runtime.fleet.atHome(fresh);
  const refused = refusesMove(target, group);
  if (refused !== undefined) return skipped(refused);
  const { rebalance, leaseMs } = labscape.policy;
  if (rebalance.mode === 'off') return skipped('off');
  if (movesWithin(log.times, runtime.clock.now(), rebalance.windowMs) >= rebalance.movesPerWindow)
    return skipped('window');
  return relocateGroup(
    runtime,
    {
      ...{ source, target, group, leaseMs, about },
      besides: (at) => [logMoveWrite(runtime.store, log, at)],
    },
    requester,
  );
};
