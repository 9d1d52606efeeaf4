import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ApiProblem } from '../client/api-error.ts';
import { createClient } from '../client/client.ts';
import { nodeTransport } from '../client/node-transport.ts';
import { signerFromFile } from '../client/request-signer.ts';
import type { Chance, Clock } from '../clock.ts';
import { type Agent, type AgentOptions, startAgent } from './agent.ts';
import { type AgentConfig, ConfigError, loadConfig } from './config.ts';
import { KeptError } from './leftovers.ts';
import { jsonLog, reasonOf } from './log.ts';
import { guessCapacity } from './measure.ts';
import type { Restore } from './orders.ts';
import { tokenFromFile } from './token-file.ts';

export interface AgentIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Asks the agent to stop in order. */
  readonly stop: AbortSignal;
  /** Called with the running agent, so that a dying process can end its work. */
  readonly started?: (agent: Agent) => void;
  readonly restore?: Restore;
}

const USAGE = `usage: labscape-agent run --config FILE [--key FILE]        keep the resources that the file names
       labscape-agent register --config FILE [--key FILE]   register them, with the capacity of this host and an operator's LABSCAPE_TOKEN
       labscape-agent measure [--path DIR]                  print the capacity of this host
`;

/** Exit codes: 0 done, 1 failed, 2 usage. */
export async function main(
  argv: readonly string[],
  io: AgentIo,
  clock: Clock,
  chance: Chance,
): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(argv);
  } catch (error) {
    io.err(`${reasonOf(error).split('. To specify')[0]}\n${USAGE}`);
    return 2;
  }
  const { command, config: file, key, storagePath, help } = parsed;
  if (help) {
    io.out(USAGE);
    return 0;
  }
  try {
    if (command === 'measure') {
      io.out(`${JSON.stringify(await guessCapacity(storagePath))}\n`);
      return 0;
    }
    if (file === undefined || (command !== 'run' && command !== 'register')) {
      io.err(USAGE);
      return 2;
    }
    const loaded = await loadConfig(file);
    const config = key === undefined ? loaded : { ...loaded, keyFile: path.resolve(key) };
    return command === 'run'
      ? await run(config, io, clock, chance)
      : await register(config, io, clock, chance);
  } catch (error) {
    io.err(`${reasonOf(error)}\n`);
    return error instanceof ConfigError ? 2 : 1;
  }
}

function parse(argv: readonly string[]) {
  const { positionals, values } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      key: { type: 'string' },
      path: { type: 'string', default: '/' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const { config, key, path: storagePath, help } = values;
  return { command: positionals[0], config, key, storagePath, help };
}

function clientOf(config: AgentConfig, clock: Clock, chance: Chance) {
  const transport = nodeTransport();
  const { url, token, tokenFile, keyFile } = config;
  const signer = keyFile === undefined ? undefined : signerFromFile(keyFile, clock, chance);
  const provide = tokenFile === undefined ? () => token : tokenFromFile(tokenFile);
  const client = createClient({ url, token: provide, signer, chance, transport: transport.send });
  return { client, close: transport.close };
}

/** A predecessor that stops its work is waited for, ms: longer than that takes by default. */
const PREDECESSOR_MS = 6_000;
const LOOK_AGAIN_MS = 200;

/** Starts it once its predecessor has ended. Throws KeptError where that goes on. */
async function startAfter(options: AgentOptions, stop: AbortSignal): Promise<Agent> {
  const { clock, log } = options;
  const sinceMs = clock.monotonicMs();
  for (let waits = 0; ; waits += 1) {
    try {
      return startAgent(options);
    } catch (error) {
      const waitedMs = clock.monotonicMs() - sinceMs;
      if (!(error instanceof KeptError) || stop.aborted || waitedMs > PREDECESSOR_MS) throw error;
      if (waits === 0) log('info', 'waits for its predecessor to end', { reason: error.message });
    }
    await sleep(LOOK_AGAIN_MS, undefined, { signal: stop }).catch(() => undefined);
  }
}

async function run(config: AgentConfig, io: AgentIo, clock: Clock, chance: Chance): Promise<number> {
  const { client, close } = clientOf(config, clock, chance);
  const log = jsonLog(io.err, clock, config.agent);
  const { environment, restore } = io;
  const options = { config, client, clock, chance, log, environment, ...(restore && { restore }) };
  const agent = await startAfter(options, io.stop);
  io.started?.(agent);
  log('info', 'agent started', { resources: config.resources.map((r) => r.id), pid: process.pid });
  if (!io.stop.aborted) {
    await new Promise((resolve) => io.stop.addEventListener('abort', resolve, { once: true }));
  }
  log('info', 'agent stops its work');
  await agent.close();
  close();
  log('info', 'agent stopped');
  return 0;
}

/**
 * Registers each resource of the file with the whole host's capacity. Agents may not: it takes an operator's token, in
 * LABSCAPE_TOKEN, else as the file says.
 */
async function register(config: AgentConfig, io: AgentIo, clock: Clock, chance: Chance): Promise<number> {
  const operator = io.environment['LABSCAPE_TOKEN'] ?? '';
  const own = { ...config, token: operator, tokenFile: undefined, keyFile: undefined };
  const { client, close } = clientOf(operator === '' ? config : own, clock, chance);
  try {
    const capacity = await guessCapacity(config.storagePath);
    for (const { id, devices } of config.resources) {
      const body = { id, labscape: config.labscape, capacity, ...(devices && { devices }) };
      io.out(`${JSON.stringify(await client.call('registerResource', { body }))}\n`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof ApiProblem) || (error.status !== 401 && error.status !== 403)) throw error;
    throw new Error(`${error.message}: register takes an operator's token, set LABSCAPE_TOKEN`, {
      cause: error,
    });
  } finally {
    close();
  }
}
