import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CounterLine, parseCounterLine } from '../../../infra/local/sample/counter-file.ts';
import { type Agent, startAgent } from '../../../lib/agent/agent.ts';
import { AgentConfig } from '../../../lib/agent/config.ts';
import type { Restore } from '../../../lib/agent/orders.ts';
import { createClient } from '../../../lib/client/client.ts';
import { nodeTransport } from '../../../lib/client/node-transport.ts';
import { FakeApi } from './fake-api.ts';
import { chance, clock, RunnerBench, until } from './runner-bench.ts';

const counter = fileURLToPath(new URL('../../../infra/local/sample/counter.sh', import.meta.url));

/** Real agents with real processes that count, against a scripted control plane. */
export class AgentBench {
  readonly api = new FakeApi();
  /** What the agents logged: message and fields. */
  readonly logged: Record<string, unknown>[] = [];
  readonly #bench = new RunnerBench();
  readonly #agents: Agent[] = [];

  async start(options: { longPollS?: number; restore?: Restore } = {}): Promise<Agent> {
    const config = AgentConfig.parse({
      ...{ url: await this.api.start(), token: 't', labscape: 'north', agent: 'agent-1' },
      resources: [...this.api.resources.keys()].map((id) => ({
        id,
        runner: {
          ...{ kind: 'process', start: ['sh', counter], settleMs: 10 },
          env: { COUNTER_DIR: this.#bench.folder, COUNTER_TICK_S: '0.02' },
        },
      })),
      load: 'demand',
      longPollS: options.longPollS ?? 20,
    });
    const { send } = nodeTransport();
    const client = createClient({ url: config.url, token: () => config.token, chance, transport: send });
    const { restore } = options;
    const agent = startAgent({
      ...{
        config,
        client,
        clock,
        chance,
        log: (_, message, fields) => this.logged.push({ message, ...fields }),
      },
      environment: { PATH: process.env['PATH'] },
      ...(restore && { restore }),
    });
    this.#agents.push(agent);
    return agent;
  }

  lastBeat(resource = 'r1') {
    return this.api.beats.at(-1)?.resources.find((entry) => entry.resource === resource);
  }

  groupReports() {
    return this.api.reports.flatMap((report) => report.groups);
  }

  linesOf(allocation: string): CounterLine[] {
    const file = path.join(this.#bench.folder, 'acme', `${allocation}.jsonl`);
    return readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line) => parseCounterLine(line) ?? []);
  }

  async end(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.close()));
    this.api.stop();
    await this.#bench.end();
  }
}

export const runs = (agent: Agent, count: number, resource = 'r1') =>
  until(`${count} run`, () => agent.counts()[resource]?.running === count);
export const stopped = (agent: Agent, resource = 'r1') =>
  until('all stopped', () => agent.counts()[resource]?.total === 0);
