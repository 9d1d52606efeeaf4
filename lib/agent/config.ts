import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { Id } from '../schemas/common.ts';
import { Devices } from '../schemas/devices.ts';
import { BATCH_RESOURCES_MAX, PROBES_MAX } from '../schemas/heartbeat.ts';
import { wordsOfIssue } from '../schemas/issue-words.ts';
import { whyUnread } from './log.ts';

const Argv = z.array(z.string().min(1).max(4096)).min(1).max(64);
const Environment = z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()).default({});
const millis = z.int().min(1).max(3_600_000);

/** One supervised operating-system process per allocation; see supervised-process.ts for its contract. */
export const ProcessRunnerConfig = z.strictObject({
  kind: z.literal('process'),
  start: Argv.optional().meta({
    description: 'runs every allocation; without it the spec names the command',
  }),
  stop: Argv.optional().meta({ description: 'asks the work to end, before SIGTERM' }),
  check: Argv.optional().meta({ description: 'exit code 0: the work runs' }),
  checkEveryMs: millis.default(5_000),
  startWithinMs: millis.default(60_000).meta({ description: 'until the first good check, ms' }),
  settleMs: z
    .int()
    .min(0)
    .max(60_000)
    .default(100)
    .meta({ description: 'without a check hook: a process alive this long runs, ms' }),
  stopGraceMs: millis.default(5_000).meta({ description: 'from SIGTERM to SIGKILL, ms' }),
  env: Environment,
  cwd: z.string().optional(),
  logDir: z.string().optional().meta({ description: "where the work's output goes; nowhere without it" }),
  leaseFile: z.string().optional().meta({
    description: 'holds until when the work may run, epoch ms; its name is LABSCAPE_LEASE_FILE to the work',
  }),
  stateFile: z
    .string()
    .optional()
    .meta({ description: 'remembers processes, so that those a dead agent left behind are ended' }),
});
export type ProcessRunnerConfig = z.infer<typeof ProcessRunnerConfig>;

/** One long-lived process per resource that runs all of its work; see worker-protocol.ts for its contract. */
export const WorkerRunnerConfig = z.strictObject({
  kind: z.literal('worker'),
  command: Argv,
  stopGraceMs: millis
    .default(5_000)
    .meta({ description: 'to stop one piece of work; then the worker is killed' }),
  env: Environment,
  cwd: z.string().optional(),
  logFile: z.string().optional(),
  stateFile: z.string().optional(),
});
export type WorkerRunnerConfig = z.infer<typeof WorkerRunnerConfig>;

export const RunnerConfig = z.discriminatedUnion('kind', [ProcessRunnerConfig, WorkerRunnerConfig]);
export type RunnerConfig = z.infer<typeof RunnerConfig>;

export const AgentConfig = z
  .strictObject({
    url: z.url({ protocol: /^https?$/ }),
    token: z.string().min(1).optional(),
    tokenFile: z.string().min(1).optional().meta({ description: 'read again whenever it changed' }),
    keyFile: z.string().min(1).optional().meta({
      description: 'signs with this key instead of sending a token; read again whenever it changed',
    }),
    labscape: Id,
    agent: Id,
    resources: z
      .array(
        z.strictObject({
          id: Id,
          devices: Devices.optional().meta({
            description: 'what `register` says it has; they are not looked for',
          }),
          runner: RunnerConfig,
        }),
      )
      .min(1)
      .max(BATCH_RESOURCES_MAX),
    hooks: z
      .strictObject({
        health: Argv.optional().meta({
          description: 'exit code 0 ok, 1 degraded, other failed; gets LABSCAPE_RESOURCE',
        }),
        healthEveryMs: millis.default(5_000),
        restore: Argv.optional().meta({
          description: 'exit code 0 and its last word restored (default), replaced or gone; else refused',
        }),
        restoreWithinMs: millis.default(300_000),
        env: Environment,
      })
      .prefault({}),
    load: z
      .enum(['host', 'demand', 'none'])
      .default('host')
      .meta({ description: "measured on the host, summed from the work's demands, or left out" }),
    storagePath: z.string().default('/').meta({ description: 'whose file system is measured' }),
    probes: z
      .array(
        z
          .strictObject({
            resource: Id.optional(),
            labscape: Id.optional(),
            address: z
              .url({ protocol: /^(tcp|https?)$/ })
              .refine((text) => !text.startsWith('tcp:') || new URL(text).port !== '', 'needs a port')
              .meta({ description: 'whoever answers there is reached' }),
          })
          .refine((probe) => (probe.resource === undefined) !== (probe.labscape === undefined), {
            message: 'names a resource or a labscape',
          }),
      )
      .max(PROBES_MAX)
      .default([])
      .meta({ description: "others' resources, or labscapes, that it tries to reach" }),
    probeEveryMs: millis.default(2_000).meta({ description: 'pause between two tries, and the time of one' }),
    longPollS: z.int().min(0).max(20).default(0).meta({
      description:
        'length of long polls; 0: changes are learned from beats alone. On AWS each poll is a function that waits',
    }),
  })
  .refine((c) => c.token !== undefined || c.tokenFile !== undefined || c.keyFile !== undefined, {
    path: ['tokenFile'],
    message: 'name a tokenFile, a token or a keyFile',
  })
  .refine((c) => new Set(c.resources.map((r) => r.id)).size === c.resources.length, {
    path: ['resources'],
    message: 'names a resource twice',
  });
export type AgentConfig = z.infer<typeof AgentConfig>;

/** Says every fault of the file at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** `name`: how faults call the file. Throws ConfigError. */
export function parseConfig(text: string, name: string): AgentConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`${name} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = AgentConfig.safeParse(value, { error: wordsOfIssue });
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(
    (issue) => `  ${issue.path.join('.') || '(file)'}: ${issue.message}`,
  );
  throw new ConfigError(`${name} is not a configuration of an agent:\n${faults.join('\n')}`);
}

/** The configuration with all its paths as they are meant: relative ones from the file's own folder. */
export async function loadConfig(file: string): Promise<AgentConfig> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw new Error(`cannot read ${file}: ${whyUnread(cause)}`, { cause });
  });
  return located(parseConfig(text, file), path.dirname(path.resolve(file)));
}

function located(config: AgentConfig, folder: string): AgentConfig {
  const at = (name: string | undefined) => (name === undefined ? undefined : path.resolve(folder, name));
  // A name without a slash is sought on the PATH; with a `cwd` the system itself seeks from there.
  const program = (argv: string[] | undefined, cwd?: string): string[] | undefined =>
    cwd === undefined && argv?.[0]?.includes('/') === true
      ? [path.resolve(folder, argv[0]), ...argv.slice(1)]
      : argv;
  const runnerAt = (runner: RunnerConfig): RunnerConfig => {
    const { cwd, stateFile } = runner;
    const both = { cwd: at(cwd), stateFile: at(stateFile) };
    if (runner.kind === 'worker') {
      const command = program(runner.command, cwd) ?? runner.command;
      return { ...runner, ...both, command, logFile: at(runner.logFile) };
    }
    const { start, stop, check, logDir, leaseFile } = runner;
    const hooks = { start: program(start, cwd), stop: program(stop, cwd), check: program(check, cwd) };
    return { ...runner, ...both, ...hooks, logDir: at(logDir), leaseFile: at(leaseFile) };
  };
  const { tokenFile, keyFile, storagePath, hooks, resources } = config;
  return {
    ...{ ...config, tokenFile: at(tokenFile), keyFile: at(keyFile) },
    storagePath: path.resolve(folder, storagePath),
    hooks: { ...hooks, health: program(hooks.health), restore: program(hooks.restore) },
    resources: resources.map((resource) => ({ ...resource, runner: runnerAt(resource.runner) })),
  };
}
