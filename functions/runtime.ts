import { v7 } from 'uuid';
import type { Chance, Clock } from '../lib/clock.ts';
import type { Route } from '../lib/http/routes/route.ts';
import { Fleet } from '../lib/services/fleet.ts';
import { QuotaBook } from '../lib/services/placement/quota-book.ts';
import { pauseAfterRace } from '../lib/services/retry.ts';
import type { Executions, Runtime } from '../lib/services/runtime.ts';
import { isRevoked } from '../lib/store/access/principals.ts';
import { Store } from '../lib/store/store.ts';
import { dynamodbClient } from '../lib/store/table/dynamodb-client.ts';
import { defenceOf } from './defence.ts';
import { required } from './environment.ts';
import { countFailure } from './verdict-metrics.ts';

/** The only clock and the only chance of the functions. */
export const systemClock: Clock = { now: () => Date.now(), monotonicMs: () => performance.now() };
const systemChance: Chance = { uniform: () => Math.random(), id: () => v7() };
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const noExecutions = (): never => {
  throw new Error('this function neither starts nor answers recoveries');
};
const NO_EXECUTIONS: Executions = { start: noExecutions, succeed: noExecutions, fail: noExecutions };

let shared: Runtime | undefined;

/** What a warm function keeps between its calls: connections, the fleet as last seen, quotas as last seen. */
export const runtime = (executions: Executions = NO_EXECUTIONS): Runtime => {
  if (shared !== undefined) return shared;
  const store = new Store(
    dynamodbClient(),
    { state: required('STATE_TABLE'), audit: required('AUDIT_TABLE') },
    (met) => pauseAfterRace({ chance: systemChance, sleep }, met),
  );
  shared = {
    store,
    fleet: new Fleet(store, systemClock),
    quotas: new QuotaBook(store),
    executions,
    clock: systemClock,
    chance: systemChance,
    sleep,
    onFailure: countFailure,
    detectorStarts: process.env['DETECTOR_STARTS'] !== 'false',
    packedBeats: process.env['PACKED_BEATS'] !== 'false',
  };
  return shared;
};

/** What the chain of API handlers needs from outside. `routes`: those among which are the function's own. */
export const apiDeps = (from: Runtime, routes: readonly Route[]) => ({
  routes,
  clock: from.clock,
  isRevoked: (principal: string) => isRevoked(from.store, principal),
  defence: defenceOf(from),
});
