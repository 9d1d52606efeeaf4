import * as z from 'zod';
import { CheckFailed, collect, equal, must, until } from './check.ts';
import { CONTROL_STACK, resourcesOf, type TemplateResource } from './cloud.ts';
import { PATIENCE_MS, recovered, wordsOf } from './recovery.ts';
import { LABSCAPE, type Site } from './site.ts';

const NAMESPACE = 'Labscape';
const METRIC = 'FailedResources';
const HEARTBEATS_LOG = '/aws/lambda/labscape-test-heartbeats';

/** A labscape that only observes has a resource fail; a person lets it act, and the alarm makes it recover. */
export async function checkAlarm(site: Site, assembly: string, resource: string): Promise<void> {
  const { journal, admin, agent, cloud } = site;
  const counted = await journal.step(
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
      // The emulator compares neither.
      equal('namespace', counted.Namespace, NAMESPACE);
      equal('dimensions', counted.MetricData[0].Dimensions, alarm.Properties['Dimensions']);

      const { etag = '' } = await admin.exchange('getLabscape', { params: { labscape: LABSCAPE } });
      const body = { policy: { mode: 'automatic' as const } };
      const request = { params: { labscape: LABSCAPE }, headers: { 'if-match': etag }, body };
      await admin.call('editLabscape', request);
      await cloud.call('cloudwatch', 'put_metric_data', { ...counted });
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

/** A line in CloudWatch's embedded metric format. */
const MetricLine = z.looseObject({
  _aws: z.object({
    CloudWatchMetrics: z.array(
      z.object({
        Namespace: z.string(),
        Dimensions: z.array(z.array(z.string())).length(1),
        Metrics: z.array(
          z.object({ Name: z.string(), Unit: z.string(), StorageResolution: z.literal(1).optional() }),
        ),
      }),
    ),
  }),
});
const Counts = z.union([z.number(), z.array(z.number())]);

/** A metric as CloudWatch extracts it from a log, and the emulator does not. */
interface Extracted {
  readonly Namespace: string;
  readonly MetricData: readonly [{ readonly Dimensions: readonly object[] } & Record<string, unknown>];
}

/** What the function wrote down of the failures it saw. */
async function countedFailures({ cloud }: Site): Promise<Extracted | undefined> {
  const Page = z.object({ events: z.array(z.object({ message: z.string() })) });
  const said = await cloud.call('logs', 'filter_log_events', { logGroupName: HEARTBEATS_LOG });
  const lines = Page.parse(said).events.flatMap(({ message }) => message.split('\n'));
  const line = lines.find((text) => text.includes('_aws') && text.includes(METRIC));
  return line === undefined
    ? undefined
    : extract(MetricLine.parse(JSON.parse(line.slice(line.indexOf('{')))));
}

function extract(line: z.infer<typeof MetricLine>): Extracted {
  for (const { Namespace, Dimensions, Metrics } of line._aws.CloudWatchMetrics) {
    const metric = Metrics.find(({ Name }) => Name === METRIC);
    if (metric === undefined) continue;
    const { Name: MetricName, ...how } = metric;
    const dimensions = (Dimensions[0] ?? []).map((Name) => ({ Name, Value: line[Name] }));
    const Value = [Counts.parse(line[METRIC])].flat().reduce((sum, count) => sum + count, 0);
    return { Namespace, MetricData: [{ MetricName, Dimensions: dimensions, Value, ...how }] };
  }
  throw new CheckFailed(`a line of the log speaks of ${METRIC} and does not count it`);
}

async function alarmState({ cloud }: Site, id: string): Promise<string | undefined> {
  const name = (await cloud.physicalIds(CONTROL_STACK)).get(id);
  const Answer = z.object({ MetricAlarms: z.array(z.object({ StateValue: z.string() })) });
  const said = await cloud.call('cloudwatch', 'describe_alarms', { AlarmNames: [name] });
  return Answer.parse(said).MetricAlarms[0]?.StateValue;
}
