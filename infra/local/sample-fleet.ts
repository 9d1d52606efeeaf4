import { randomUUID } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Client, createClient } from '../../lib/client/client.ts';
import type { MintRequest } from './gateway/issuer.ts';
import { bundlePrograms } from './sample/agent-bundle.ts';
import { AgentProcess } from './sample/agent-process.ts';
import { FLEET_SIZE, type FleetPlan, type FleetSize, planFleet } from './sample/fleet-plan.ts';
import { activateOffline, allocateWork, registerFleet, warmUp } from './sample/fleet-setup.ts';
import { untilHeard } from './sample/until-heard.ts';

export interface FleetHost {
  readonly url: string;
  mint(request: MintRequest): Promise<string>;
  readonly dataDir: string;
}

export interface FleetOptions extends Partial<FleetSize> {
  /** A fleet of one's own instead of the planned one; without allocations if somebody else makes them. */
  readonly plan?: FleetPlan;
  /** `process`: a shell process per allocation; `worker`: one process per resource counts for all of its. */
  readonly work?: 'process' | 'worker';
  readonly tickMs?: number;
  /** Whether restore orders start a dead agent again. */
  readonly restore?: boolean;
  /** Length of the agents' long polls, s; 0: none. */
  readonly longPollS?: number;
  /** How many agents start at the same time; by default all. Those with much to run take the machine's breath away. */
  readonly startTogether?: number;
  /** Hears of each step of the start. */
  readonly progress?: (step: string) => void;
}

export interface SampleFleet {
  readonly plan: FleetPlan;
  /** Holds TENANT/ALLOCATION.jsonl with the counters' lines; see sample/counter-file.ts. */
  readonly workDir: string;
  /** How many allocations were placed, are pending, or were refused. */
  readonly allocations: Readonly<Record<string, number>>;
  /** An operator's client. */
  readonly operator: Client;
  agents(): { resource: string; pid: number | undefined }[];
  /** Sends a signal to a resource's agent: SIGKILL is a host that dies, SIGSTOP one that hangs. */
  kill(resource: string, signal?: NodeJS.Signals): void;
  /** Starts a dead agent again. */
  start(resource: string): void;
  stop(): Promise<void>;
}

const TOKEN_TTL_S = 3_600;
/** Well before they expire, ms. */
const TOKEN_RENEW_MS = (TOKEN_TTL_S * 1000) / 3;

/** Starts the sample fleet against a host: everything goes over its HTTP API, as a real fleet's would. */
export async function startSampleFleet(host: FleetHost, options: FleetOptions = {}): Promise<SampleFleet> {
  const plan = options.plan ?? planFleet({ ...FLEET_SIZE, ...options });
  const operator = operatorClient(host);
  const progress = options.progress ?? (() => {});
  await registerFleet(operator, plan);
  progress('functions are called for the first time');
  await warmUp(operator, plan);
  const fleet = new Fleet(host, plan, options);
  try {
    progress(`agents of ${plan.resources.length} resources`);
    await fleet.startAgents((started) => untilHeard(operator, started, progress));
    await activateOffline(operator, plan);
    if (plan.allocations.length > 0) progress(`work: ${plan.allocations.length} allocations`);
    const allocations = await allocateWork(operator, plan, progress);
    return {
      ...{ plan, workDir: fleet.workDir, allocations, operator },
      agents: () => fleet.agents(),
      kill: (resource, signal = 'SIGKILL') => fleet.agent(resource).kill(signal),
      start: (resource) => fleet.agent(resource).start(),
      stop: () => fleet.stop(),
    };
  } catch (error) {
    await fleet.stop();
    throw error;
  }
}

function operatorClient(host: FleetHost): Client {
  let token: Promise<string> | undefined;
  return createClient({
    url: host.url,
    chance: { uniform: Math.random, id: randomUUID },
    token: (rejected) => {
      if (token === undefined || rejected !== undefined) {
        token = host.mint({ sub: 'sample-fleet', roles: ['admin'], ttlSeconds: TOKEN_TTL_S });
      }
      return token;
    },
  });
}

/** The supervisor: it runs the agents and brings a dead one back when a labscape is ordered to. */
class Fleet {
  readonly workDir: string;
  readonly #host: FleetHost;
  readonly #plan: FleetPlan;
  readonly #options: FleetOptions;
  readonly #folder: string;
  readonly #agents = new Map<string, AgentProcess>();
  /** By recovery: several agents of a labscape get the same order. */
  readonly #restored = new Map<string, Promise<void>>();
  #renewal: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(host: FleetHost, plan: FleetPlan, options: FleetOptions) {
    this.#host = host;
    this.#plan = plan;
    this.#options = options;
    this.#folder = path.join(host.dataDir, 'fleet');
    this.workDir = path.join(host.dataDir, 'work');
    mkdirSync(path.join(this.#folder, 'logs'), { recursive: true });
  }

  async startAgents(untilHeard: (started: readonly string[]) => Promise<void>): Promise<void> {
    const programs = bundlePrograms(path.join(this.#folder, 'bin'));
    await this.#writeTokens();
    this.#renewal = setInterval(() => void this.#writeTokens().catch(() => undefined), TOKEN_RENEW_MS);
    for (const { id, labscape } of this.#plan.resources) {
      const configFile = path.join(this.#folder, `${id}.json`);
      writeFileSync(configFile, JSON.stringify(this.#config(id, labscape, programs.worker), null, 2));
      const agent = new AgentProcess({
        ...{ resource: id, program: programs.agent, configFile },
        logFile: path.join(this.#folder, 'logs', `${id}.log`),
        onOrder: async ({ resource, recovery }) => {
          if (this.#options.restore === false) return { outcome: 'refused', reason: 'switched off' };
          if (!this.#agents.has(resource)) return { outcome: 'refused', reason: 'not of this fleet' };
          await this.#restore(resource, recovery);
          return { outcome: 'restored' };
        },
      });
      this.#agents.set(id, agent);
    }
    const ids = [...this.#agents.keys()];
    const { startTogether = ids.length } = this.#options;
    while (ids.length > 0) {
      const next = ids.splice(0, startTogether);
      for (const id of next) this.agent(id).start();
      await untilHeard(next);
    }
  }

  agents(): { resource: string; pid: number | undefined }[] {
    return [...this.#agents.values()].map(({ resource, pid }) => ({ resource, pid }));
  }

  agent(resource: string): AgentProcess {
    const agent = this.#agents.get(resource);
    if (agent === undefined) throw new Error(`the sample fleet has no resource ${resource}`);
    return agent;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#renewal);
    await Promise.all([...this.#agents.values()].map((agent) => agent.stop()));
  }

  /** An agent that hangs is ended first: its work must not run beside the new agent's. */
  #restore(resource: string, recovery: string): Promise<void> {
    const known = this.#restored.get(recovery);
    if (known !== undefined) return known;
    const agent = this.agent(resource);
    const restored = agent.destroy().then(() => {
      if (!this.#stopped) agent.start();
    });
    this.#restored.set(recovery, restored);
    return restored;
  }

  /** Renamed into place, so that an agent never reads half a token. */
  async #writeTokens(): Promise<void> {
    for (const { id, labscape } of this.#plan.resources) {
      const request: MintRequest = { sub: id, roles: ['agent'], labscape, ttlSeconds: TOKEN_TTL_S };
      const file = this.#tokenFile(id);
      writeFileSync(`${file}.new`, await this.#host.mint(request), { mode: 0o600 });
      renameSync(`${file}.new`, file);
    }
  }

  #tokenFile(resource: string): string {
    return path.join(this.#folder, `${resource}.token`);
  }

  #config(resource: string, labscape: string, worker: string): object {
    const { tickMs = 500, work = 'process', longPollS = 20 } = this.#options;
    const stateFile = path.join(this.#folder, `${resource}.processes`);
    const counter = fileURLToPath(new URL('./sample/counter.sh', import.meta.url));
    const environment = { COUNTER_DIR: this.workDir };
    const runner =
      work === 'process'
        ? {
            kind: 'process',
            start: ['sh', counter],
            env: { ...environment, COUNTER_TICK_S: `${tickMs / 1000}` },
            leaseFile: path.join(this.#folder, `${resource}.lease`),
          }
        : {
            ...{ kind: 'worker', command: [process.execPath, worker] },
            ...{ env: { ...environment, COUNTER_TICK_MS: `${tickMs}` } },
          };
    return {
      ...{ url: this.#host.url, tokenFile: this.#tokenFile(resource), labscape, agent: resource, longPollS },
      // A dozen pretended hosts share one machine, so measuring it would say nothing of any of them.
      load: 'demand',
      resources: [{ id: resource, runner: { ...runner, stateFile, stopGraceMs: 2_000 } }],
    };
  }
}
