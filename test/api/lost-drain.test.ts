import { expect, test } from '@jest/globals';
import { startHost } from '../../infra/local/host.ts';
import { temporaryFolder } from '../infra/support.ts';
import { Rig, refusalOf, startRig, until } from './rig.ts';
import { newSite } from './site.ts';

/** A state machine that is not there: nothing comes of what is started. */
const NOWHERE = { STATE_MACHINE_ARN: 'arn:aws:states:us-east-1:000000000000:stateMachine:gone' };

test('a drain of which nothing was begun is carried out by the host that starts next', async () => {
  const folder = temporaryFolder();
  const before = new Rig(
    await startHost({
      ...{ port: 0, logLevel: 'silent', schedules: false },
      ...{ dataDir: folder.path, environment: NOWHERE },
    }),
  );
  const site = await newSite(before, { resources: 2, policy: { fencing: 'immediate' } });
  const [first = ''] = site.resources;
  const placed = await site.place(10);
  try {
    await refusalOf(site.drain(first));
    expect(await site.resource(first)).toMatchObject({ status: 'healthy', epoch: 1 });
  } finally {
    await before.stop();
  }
  const after = await startRig(folder.path);
  try {
    const get = () => after.admin.call('getResource', { params: { resource: first } });
    await until('it is drained', async () => ((await get()).status === 'drained' ? true : undefined));
    const query = { tenant: site.tenant };
    const moved = await after.admin.call('getAllocation', { params: { allocation: placed.id }, query });
    expect(moved).toMatchObject({ status: 'placed', resource: site.resources[1] });
    const { items } = await after.admin.call('listRecoveries');
    expect(items).toMatchObject([{ resource: first, trigger: 'drain', status: 'done' }]);
  } finally {
    await after.stop();
    await folder.remove();
  }
});
