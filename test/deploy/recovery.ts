import * as z from 'zod';
import type { Recovery } from '../../lib/schemas/recovery.ts';
import { collect, equal, must, until } from './check.ts';
import { type Site, TENANT } from './site.ts';
import { allocationsOf } from './work.ts';
import { ACCOUNT, REGION } from './workspace.ts';

/** A recovery takes as long as the emulator needs to start the functions' processes. */
export const PATIENCE_MS = 60_000;
const MACHINE = 'labscape-test-recovery';
const STATES = `arn:aws:states:${REGION}:${ACCOUNT}`;

/** A resource that a person declares failed, and a late repetition of its recovery. */
export async function checkRecovery(site: Site, resource: string): Promise<void> {
  const { journal, admin } = site;
  const recovery = await journal.step(
    'recovers a resource that a person declares failed',
    async () => {
      const body = { reason: 'deploy test' };
      const { recovery: id } = await admin.call('failResource', { params: { resource }, body });
      return recovered(site, resource, (r) => r.id === id && r.trigger === 'api');
    },
    wordsOf,
  );
  await journal.step('ended its execution, and takes the resource back', async () => {
    equal('execution', await executionStatus(site, recovery.id), 'SUCCEEDED');
    await until('healthy resource', PATIENCE_MS, site.signal, async () => {
      await site.agent.round();
      const { status } = await admin.call('getResource', { params: { resource } });
      return status === 'healthy' ? status : undefined;
    });
  });
  await journal.step('lets a late repetition of it end without effect', () => repeatLate(site, recovery));
}

/** The recovery of `resource` once it ended well, all it moved running elsewhere; the agent does its part meanwhile. */
export async function recovered(
  site: Site,
  resource: string,
  is: (recovery: Recovery) => boolean,
): Promise<Recovery> {
  const before = await allocationsOf(site);
  const moving = before.filter((a) => a.resource === resource).map((a) => a.id);
  must(`nothing runs on ${resource}, so nothing could move`, moving.length > 0);
  let seen: readonly Recovery[] = [];
  const missing = () =>
    `end of the recovery of ${resource}; seen were ${seen.map(standingOf).join(', ') || 'none'}`;
  const recovery = await until(missing, PATIENCE_MS, site.signal, async () => {
    await site.agent.round();
    seen = (await collect(site.admin.pages('listRecoveries'))).filter((r) => r.resource === resource);
    return seen.find((r) => r.endedAt !== undefined && is(r));
  });
  equal(`outcome (${recovery.reason})`, recovery.status, 'done');
  equal(
    'allocations moved',
    recovery.moves.reduce((sum, move) => sum + move.count, 0),
    moving.length,
  );
  equal('share re-homed', recovery.rehomedShare, 1);
  const after = await allocationsOf(site);
  equal('allocations', after.map((a) => a.id).toSorted(), before.map((a) => a.id).toSorted());
  const wrong = after.filter((a) => a.status !== 'placed' || a.resource === resource || a.running !== true);
  equal(
    'allocations that do not run elsewhere',
    wrong.map((a) => a.id),
    [],
  );
  for (const entity of [`resource#${resource}`, `recovery#${recovery.id}`, `tenant#${TENANT}`])
    await verified(site, entity);
  return recovery;
}

const standingOf = ({ id, trigger, status, nextPhase }: Recovery): string =>
  `${id} by ${trigger} ${status}${nextPhase === undefined ? '' : ` before ${nextPhase}`}`;

export async function verified({ admin }: Site, entity: string): Promise<void> {
  const { verified: whole, faults } = await admin.call('verifyChain', { query: { entity } });
  equal(`audit of ${entity}`, { whole, faults }, { whole: true, faults: [] });
}

export const wordsOf = ({ trigger, moves, phases, waitedMs }: Recovery): string =>
  `by ${trigger}, groups moved ${moves.length}, phases ${phases.length}, waited for the agent ${waitedMs} ms`;

/** The same input again, under another name, as if its message had been lost for a while. */
async function repeatLate(site: Site, recovery: Recovery): Promise<void> {
  const params = { resource: recovery.resource };
  const before = await site.admin.call('getResource', { params });
  const [, epoch, attempt] = /-(\d+)-(\d+)$/.exec(recovery.id) ?? [];
  const name = `${recovery.id}-late`;
  const input = {
    resource: recovery.resource,
    epoch: Number(epoch),
    attempt: Number(attempt),
    trigger: 'api',
  };
  await site.cloud.call('stepfunctions', 'start_execution', {
    ...{ stateMachineArn: `${STATES}:stateMachine:${MACHINE}`, name, input: JSON.stringify(input) },
  });
  const status = await until('end of the late execution', PATIENCE_MS, site.signal, async () => {
    const now = await executionStatus(site, name);
    return now === 'RUNNING' ? undefined : now;
  });
  equal('late execution', status, 'SUCCEEDED');
  equal('its states', await statesOf(site, name), ['Begin', 'Detect', 'SupersededByNewer']);
  const after = await site.admin.call('getResource', { params });
  equal('epoch and groups', [after.epoch, after.groups], [before.epoch, before.groups]);
}

const executionArnOf = (name: string): string => `${STATES}:execution:${MACHINE}:${name}`;

/** The states that an execution went through. */
async function statesOf({ cloud }: Site, name: string): Promise<string[]> {
  const Answer = z.object({
    events: z.array(z.object({ stateEnteredEventDetails: z.object({ name: z.string() }).optional() })),
  });
  const executionArn = executionArnOf(name);
  const { events } = Answer.parse(
    await cloud.call('stepfunctions', 'get_execution_history', { executionArn }),
  );
  return events.flatMap(({ stateEnteredEventDetails: entered }) =>
    entered === undefined ? [] : [entered.name],
  );
}

async function executionStatus({ cloud }: Site, name: string): Promise<string> {
  const executionArn = executionArnOf(name);
  const answer = await cloud.call('stepfunctions', 'describe_execution', { executionArn });
  return z.object({ status: z.string() }).parse(answer).status;
}
