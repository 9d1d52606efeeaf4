import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Agent, startAgent } from '../../../lib/agent/agent.ts';
import { AgentConfig } from '../../../lib/agent/config.ts';
import { type Client, createClient } from '../../../lib/client/client.ts';
import type { Transport } from '../../../lib/client/transport.ts';
import { bundlePrograms } from '../sample/agent-bundle.ts';
import type { FleetPlan } from '../sample/fleet-plan.ts';
import type { ApiTarget } from './api-target.ts';
import { DrillError } from './drill-error.ts';
import { Line } from './line.ts';
import { TICK_MS } from './read-after.ts';

const chance = { uniform: Math.random, id: randomUUID };
const clock = { now: Date.now, monotonicMs: () => performance.now() };

export const clientOf = ({ url, token }: ApiTarget, transport?: Transport): Client =>
  createClient({
    ...{ url, chance, token: () => token, userAgent: 'labscape-drill' },
    ...(transport && { transport }),
  });

interface Member {
  readonly agent: Agent;
  readonly line: Line;
}

/**
 * The real agents of a drill over the API, in this process: one per resource, each with a worker process that counts
 * for its work, and each with a line of its own to the control plane.
 */
export class ApiFleet {
  /** Holds TENANT/ALLOCATION.jsonl with the counters' lines. */
  readonly workDir: string;
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'labscape-drill-'));
  readonly #target: ApiTarget;
  readonly #plan: FleetPlan;
  readonly #members = new Map<string, Member>();

  constructor(target: ApiTarget, plan: FleetPlan) {
    this.#target = target;
    this.#plan = plan;
    this.workDir = path.join(this.#folder, 'work');
    mkdirSync(this.workDir);
  }

  start(): void {
    const { worker } = bundlePrograms(path.join(this.#folder, 'bin'));
    for (const { id, labscape } of this.#plan.resources) {
      const line = new Line();
      const agent = startAgent({
        config: this.#config(id, labscape, worker),
        client: clientOf(this.#target, line.send),
        ...{ clock, chance, environment: process.env },
        // What an agent has to say shows in the API, or it is not worth hearing here.
        log: () => {},
        // Every agent of the labscape gets the order, and the first to carry it out answers for all.
        restore: async ({ resource }) => {
          const member = this.#members.get(resource);
          if (member === undefined) return { outcome: 'refused', reason: 'not of this drill' };
          member.line.mend();
          return { outcome: 'restored' };
        },
      });
      this.#members.set(id, { agent, line });
    }
  }

  /** From now on nothing goes out from a resource's agent, and nothing comes in. */
  cut(resource: string): void {
    this.#line(resource).cut();
  }

  /** When the latest beat of a resource's agent was sent that was answered, epoch ms. */
  heardBeatAt(resource: string): number {
    const at = this.#line(resource).heardBeatAt;
    if (at === undefined) throw new DrillError(`${resource} has not been heard`);
    return at;
  }

  async stop(): Promise<void> {
    await Promise.all(
      [...this.#members.values()].map(async ({ agent, line }) => {
        await agent.close();
        line.close();
      }),
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #line(resource: string): Line {
    const member = this.#members.get(resource);
    if (member === undefined) throw new DrillError(`${resource} has no agent`);
    return member.line;
  }

  #config(resource: string, labscape: string, worker: string): AgentConfig {
    return AgentConfig.parse({
      ...{ url: this.#target.url, token: this.#target.token, labscape, agent: resource },
      // All of these pretended hosts are one machine: measuring it would say nothing of any of them.
      load: 'demand',
      resources: [
        {
          id: resource,
          runner: {
            ...{ kind: 'worker', command: [process.execPath, worker], stopGraceMs: 2_000 },
            env: { COUNTER_DIR: this.workDir, COUNTER_TICK_MS: `${TICK_MS}` },
          },
        },
      ],
    });
  }
}
