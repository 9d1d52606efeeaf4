import * as z from 'zod';
import { LABSCAPE_DIMENSION } from '../../lib/failover/alarm-target.ts';
import { collect, equal, must, until } from './check.ts';
import { CONTROL_STACK, resourcesOf, type TemplateResource } from './cloud.ts';
import { PATIENCE_MS, recovered, wordsOf } from './recovery.ts';
import { LABSCAPE, type Site } from './site.ts';

const NAMESPACE = 'Labscape';
const METRIC = 'FailedResources';
const HEARTBEATS_LOG = '/aws/lambda/labscape-test-heartbeats';

/** A labscape that only observes has a resource fail; a person lets it act, and the alarm makes it recover. */
export async function checkAlarm(site: Site, assembly: string, resource: string): Promise<void> {
  const { journal, admin, agent } = site;
  const value = await journal.step(
    'observes a resource whose agent reports it failed, and counts it',
    async () => {
      agent.declare(resource, 'failed');
      await agent.beat();
      await until(`refused recovery of ${resource}`, PATIENCE_MS, site.signal, async () => {
        const found = await collect(admin.pages('listRecoveries'));
        return found.find((r) => r.resource === resource && r.status === 'refused');
      });
      equal('status', (await admin.call('getResource', { params: { resource } })).status, 'failed');
      return until(`count of ${METRIC} in the log`, PATIENCE_MS, site.signal, () => countedFailures(site));
    },
  );
  await journal.step(
    'recovers it when its alarm fires, though nobody restores it',
    async () => {
      const alarm = labscapeAlarm(assembly);
      must(`the template has no alarm on ${NAMESPACE}/${METRIC}`, alarm !== undefined);

      const { etag = '' } = await admin.exchange('getLabscape', { params: { labscape: LABSCAPE } });
      const body = { policy: { mode: 'automatic' as const } };
      const request = { params: { labscape: LABSCAPE }, headers: { 'if-match': etag }, body };
      await admin.call('editLabscape', request);
      await putMetric(site, value);
      equal(`state of ${alarm.id}`, await alarmState(site, alarm.id), 'ALARM');
      const recovery = await recovered(site, resource, ({ trigger }) => trigger === 'alarm');
      const restore = recovery.phases.find(({ name }) => name === 'RestoreSystem');
      equal('word of the restore', restore?.detail['answer'], 'timeout');
      return recovery;
    },
    wordsOf,
  );
}

/** The alarm that watches this labscape's failed resources. */
function labscapeAlarm(assembly: string): TemplateResource | undefined {
  return resourcesOf(assembly, CONTROL_STACK).find(
    ({ Type, Properties }) =>
      Type === 'AWS::CloudWatch::Alarm' &&
      Properties['Namespace'] === NAMESPACE &&
      Properties['MetricName'] === METRIC &&
      JSON.stringify(Properties['Dimensions'] ?? []).includes(`"${LABSCAPE}"`),
  );
}

const MetricLine = z.object({
  [LABSCAPE_DIMENSION]: z.literal(LABSCAPE),
  [METRIC]: z.union([z.number(), z.array(z.number())]),
  _aws: z.object({ CloudWatchMetrics: z.array(z.object({ Namespace: z.literal(NAMESPACE) })).min(1) }),
});

/** What the function wrote down for CloudWatch to extract; the emulator extracts nothing. */
async function countedFailures({ cloud }: Site): Promise<number | undefined> {
  const Page = z.object({ events: z.array(z.object({ message: z.string() })) });
  const said = await cloud.call('logs', 'filter_log_events', { logGroupName: HEARTBEATS_LOG });
  for (const { message } of Page.parse(said).events) {
    for (const line of message.split('\n')) {
      const at = line.indexOf('{');
      if (at < 0 || !line.includes(METRIC)) continue;
      const found = MetricLine.parse(JSON.parse(line.slice(at)));
      return [found[METRIC]].flat().reduce((sum, count) => sum + count, 0);
    }
  }
  return undefined;
}

async function putMetric({ cloud }: Site, value: number): Promise<void> {
  const dimensions = [{ Name: LABSCAPE_DIMENSION, Value: LABSCAPE }];
  const datum = {
    MetricName: METRIC,
    Dimensions: dimensions,
    Value: value,
    Unit: 'Count',
    StorageResolution: 1,
  };
  await cloud.call('cloudwatch', 'put_metric_data', { Namespace: NAMESPACE, MetricData: [datum] });
}

async function alarmState({ cloud }: Site, id: string): Promise<string | undefined> {
  const name = (await cloud.physicalIds(CONTROL_STACK)).get(id);
  const Answer = z.object({ MetricAlarms: z.array(z.object({ StateValue: z.string() })) });
  const said = await cloud.call('cloudwatch', 'describe_alarms', { AlarmNames: [name] });
  return Answer.parse(said).MetricAlarms[0]?.StateValue;
}
