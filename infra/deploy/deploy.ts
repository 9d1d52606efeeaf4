import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import type { StageConfig } from '../config.ts';
import { type Command, program, runCdk } from './command.ts';

const USAGE = `npm run deploy -- --stage NAME [--issuer URL] [--audience NAME] [--yes]

  --stage NAME     a stage of cdk.json, or a new one
  --issuer URL, --audience NAME   who issues its tokens, and for whom; else as cdk.json says
  --yes            without asking whether permissions may be broadened`;

const Outputs = z.record(z.string(), z.record(z.string(), z.string()));

/** What a deployment of the stage does, before it does it. */
export function plan(config: StageConfig): string {
  const { stage, issuer, audience, alarms, recoveryAlarms } = config;
  const kept = config.disposable
    ? 'they go with their stack: this stage may lose its data'
    : 'they outlive their stack';
  const listed = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(', '));
  return [
    `Deploys stage ${stage} into the account and region of your AWS credentials:`,
    `  labscape-${stage}-state   three tables, the buckets of archive and backups, and their key; ${kept}`,
    `  labscape-${stage}         functions, API, state machine, schedule, alarms, dashboard`,
    issuer === undefined
      ? 'Tokens: issued by a Cognito user pool of the stage, in the stack of the tables'
      : `Tokens: issued by ${issuer} for ${audience}`,
    `Rollout: ${config.disposable ? 'at once' : config.rollout}`,
    `Alarms go to: ${alarms.email ?? 'nobody (alarms.email is not set)'}`,
    `Labscapes with an alarm that starts recoveries: ${listed(recoveryAlarms.labscapes)}`,
    `Accounts whose alarms may start recoveries: ${listed(recoveryAlarms.accounts)}`,
  ].join('\n');
}

/** The next steps, once `url` answers. */
export function nextSteps(config: StageConfig, url: string): string {
  return [`API: ${url}`, `Check: curl ${url}/health`, ...firstAdministrator(config)].join('\n');
}

function firstAdministrator({ issuer, audience, firstAdmin }: StageConfig): string[] {
  if (issuer !== undefined)
    return [
      `First administrator: in ${issuer}, give a user the claim roles = ["admin"] in tokens for the audience`,
      `${audience}, and let them sign in; see docs/deployment.md. Nothing in AWS makes an administrator.`,
    ];
  return [
    firstAdmin === undefined
      ? 'First administrator: nobody yet; set firstAdmin, or add a user of the pool to the group labscape-admin.'
      : `First administrator: ${firstAdmin} has an invitation by mail; see docs/deployment.md.`,
  ];
}

/** The URL in what `cdk deploy --outputs-file` wrote. */
export function urlOf(outputs: unknown, stage: string): string {
  const found = Object.entries(Outputs.parse(outputs)[`labscape-${stage}`] ?? {}).find(([name]) =>
    name.startsWith('HttpUrl'),
  );
  if (found === undefined) throw new Error(`the deployment of stage ${stage} told no URL`);
  return found[1];
}

async function main({ config, context, yes }: Command): Promise<number> {
  console.log(plan(config));
  const folder = mkdtempSync(join(tmpdir(), 'labscape-deploy-'));
  try {
    const outputs = join(folder, 'outputs.json');
    const approval = yes ? 'never' : 'broadening';
    const code = await runCdk([
      ...['deploy', '--all', '--require-approval', approval, '--outputs-file', outputs],
      ...context,
    ]);
    if (code !== 0) return code;
    console.log(nextSteps(config, urlOf(JSON.parse(readFileSync(outputs, 'utf8')), config.stage)));
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) await program(USAGE, main);
