import type { StageConfig } from '../config.ts';
import { type Command, program, runCdk } from './command.ts';

const USAGE = `npm run destroy -- --stage NAME [--issuer URL] [--audience NAME] [--yes]

  --stage NAME     a stage of cdk.json, or a new one
  --issuer URL, --audience NAME   who issues its tokens, and for whom; else as cdk.json says
  --yes            really; without it, it only says what would go and what would stay`;

/** What goes and what stays, exactly. */
export function farewell(config: StageConfig): string {
  const { stage } = config;
  const goes = [
    `Destroys stack labscape-${stage}: functions, API, state machine (recoveries that run are stopped), schedule,`,
    'alarms, topics, dashboard.',
  ];
  const logs = `/aws/lambda/labscape-${stage}-*, /aws/vendedlogs/apis/labscape-${stage}, /aws/vendedlogs/states/labscape-${stage}-recovery`;
  const stays = config.disposable
    ? [
        `Destroys stack labscape-${stage}-state with its tables and everything in them: stage ${stage} may lose`,
        'its data. The key is scheduled for deletion. Nothing is kept. CloudFormation deletes empty buckets only: empty',
        'those of the archive, of backups and of their access log first, or it stops there.',
      ]
    : [
        'Keeps:',
        `  stack labscape-${stage}-state (termination protection)`,
        '  its tables (deletion protection, point-in-time recovery) and all that is in them',
        `  the bucket of the archive (Object Lock, ${config.archive.lock}, ${config.archive.retentionDays} days), of backups, and their access log`,
        '  the KMS key that they are encrypted with; without it they could not be read',
        '  the KMS keys that sign seals of the audit',
        ...(config.issuer === undefined ? ['  the user pool (deletion protection) and everybody in it'] : []),
        `  log groups ${logs} (events expire after ${config.logRetentionDays} days)`,
        '  the queue of failed events (they expire after 14 days)',
      ];
  return [...goes, ...stays].join('\n');
}

/** Stacks in the order in which they may go. */
export const stacksToDestroy = (config: StageConfig): readonly string[] => [
  `labscape-${config.stage}`,
  ...(config.disposable ? [`labscape-${config.stage}-state`] : []),
];

async function main({ config, context, yes }: Command): Promise<number> {
  console.log(farewell(config));
  if (!yes) {
    console.log('Nothing was destroyed: say --yes to do it.');
    return 1;
  }
  return runCdk(['destroy', ...stacksToDestroy(config), '--exclusively', '--force', ...context]);
}

if (import.meta.main) await program(USAGE, main);
