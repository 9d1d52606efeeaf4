import type * as z from 'zod';
import type { Client } from '../../lib/client/client.ts';
import type { RESTORE_OUTCOMES, ReportInput } from '../../lib/schemas/assignment.ts';
import type { BeatEntry, HeartbeatAnswer, Order } from '../../lib/schemas/heartbeat.ts';
import { type Rig, until } from './rig.ts';
import type { Site } from './site.ts';

type Report = Omit<z.input<typeof ReportInput>, 'agent' | 'epoch'>;

/** An agent of one resource that says what its test tells it to, over the public API and with an agent's token. */
export class ScriptedAgent {
  readonly id: string;
  readonly client: Client;
  readonly #labscape: string;
  readonly #resource: string;
  #seq = 0;
  epoch = 1;

  constructor(rig: Rig, site: Site, resource: string) {
    this.id = `agent-${resource}`;
    this.client = rig.as({ sub: this.id, roles: ['agent'], labscape: site.labscape });
    this.#labscape = site.labscape;
    this.#resource = resource;
  }

  beat(
    word: Partial<z.input<typeof BeatEntry>> = {},
    seq = this.#seq + 1,
    unreachable?: string[],
  ): Promise<HeartbeatAnswer> {
    this.#seq = Math.max(this.#seq, seq);
    const entry = { resource: this.#resource, epoch: this.epoch, assignmentRevision: 1, ...word };
    return this.client.call('beat', {
      params: { labscape: this.#labscape },
      body: { agent: this.id, seq, resources: [entry], ...(unreachable && { unreachable }) },
    });
  }

  report(report: Report, epoch = this.epoch) {
    const params = { resource: this.#resource };
    return this.client.call('report', { params, body: { agent: this.id, epoch, ...report } });
  }

  assignments(query: { after?: number; wait?: number } = {}) {
    return this.client.call('getAssignments', { params: { resource: this.#resource }, query });
  }

  /** Beats until it is given a restore order for `resource`. */
  order(resource: string): Promise<Order> {
    return until(`an order to restore ${resource}`, async () =>
      (await this.beat()).orders.find((order) => order.resource === resource),
    );
  }

  /** Answers an order for another resource of its labscape. */
  answer(order: Order, outcome: (typeof RESTORE_OUTCOMES)[number]) {
    const restore = { recovery: order.recovery, outcome };
    const body = { agent: this.id, epoch: this.epoch, restore };
    return this.client.call('report', { params: { resource: order.resource }, body });
  }

  /** Says of everything it is assigned that it runs. */
  async runAll(): Promise<void> {
    const { items = [] } = (await this.assignments()) ?? {};
    const groups = new Map<string, { group: string; epoch: number; running: number }>();
    for (const { group, groupEpoch } of items) {
      const running = (groups.get(group)?.running ?? 0) + 1;
      groups.set(group, { group, epoch: groupEpoch, running });
    }
    if (groups.size > 0) await this.report({ groups: [...groups.values()] });
  }
}
