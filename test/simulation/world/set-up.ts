import type { FaultKind } from './faults.ts';
import { LABSCAPE_IDS, type World } from './world.ts';

const CAPACITY = 10_000;
/** So little that the fleet fills up. */
const CAPACITY_TIGHT = 1_500;
/** Of the hosts of one labscape, where hosts differ: what fills one group there is too large elsewhere. */
const LARGE_FACTOR = 4;
const DEVICES = { model: 'sim', count: 3 };
const BALANCES_ITSELF = 'lab-0';
const FAILS_BACK_ITSELF = 'lab-1';
const HAS_LARGE = 'lab-1';
/** So narrow that two operators at once pass it if anything lets them. */
const BALANCE_WINDOW = { movesPerWindow: 2, windowMs: 8_000 };

/** Joins the labscapes, registers the resources and the tenants, starts agents and tenants; no fault strikes yet. */
export const setUp = async (world: World): Promise<void> => {
  const requests: Promise<unknown>[] = [];
  const then = (request: Promise<unknown>): void => void requests.push(request);
  for (const id of LABSCAPE_IDS)
    then(world.operator('joinLabscape', {}, { id, policy: policyOf(world, id) }));
  await world.until(requests);
  const each = fromTheStart(world, 'tightCapacity') ? CAPACITY_TIGHT : CAPACITY;
  const isUneven = fromTheStart(world, 'unevenHosts');
  for (const { id, labscape } of world.hosts) {
    const capacity = evenly(isUneven && labscape === HAS_LARGE ? LARGE_FACTOR * each : each);
    then(world.operator('registerResource', {}, { id, labscape, capacity, devices: DEVICES }));
  }
  for (const [index, { id }] of world.tenants.entries()) {
    const small = index === 0 && fromTheStart(world, 'fullQuota');
    const quota = evenly(small ? CAPACITY / 4 : CAPACITY * 6);
    then(world.operator('putTenant', { tenant: id }, { quota, slices: 2 }));
  }
  if (fromTheStart(world, 'agentsSign'))
    for (const agent of world.agents) {
      const { principal, current } = agent.keys;
      then(world.operator('addKey', { principal }, { publicKey: current.publicKey }));
      agent.signs = true;
    }
  await world.until(requests);
  // Each in its own rhythm: who takes over may hear of it before the old owner does.
  for (const [index, agent] of world.agents.entries())
    agent.start(1 + (index * world.rhythm.beatMs) / world.agents.length);
  for (const tenant of world.tenants) tenant.start();
};

const evenly = (each: number) => ({ processing: each, memory: each, storage: each, network: each });

const policyOf = (world: World, labscape: string) => ({
  mode: fromTheStart(world, 'asksFirst') ? 'ask' : 'automatic',
  ...{ ...world.rhythm, restoreWaitMs: 5_000, resumeWaitMs: 8_000 },
  ...{ coolDownMs: 20_000, breakerShare: 0.7, probationMs: 6_000, slowStartMs: 8_000 },
  failback: labscape === FAILS_BACK_ITSELF ? 'automatic' : 'off',
  rebalance: { mode: labscape === BALANCES_ITSELF ? 'automatic' : 'by-hand', ...BALANCE_WINDOW },
});

/** Of what is wrong in a history from its beginning. */
const fromTheStart = ({ faults }: World, kind: FaultKind): boolean => {
  faults.active = true;
  const strikes = faults.strikes(kind);
  faults.active = false;
  return strikes;
};
