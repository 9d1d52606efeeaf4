import type { Client } from '../../lib/client/client.ts';
import type { HeartbeatAnswer } from '../../lib/schemas/heartbeat.ts';

/** What the agent has done for one of its resources. */
interface Carried {
  epoch: number;
  revision: number;
  status: 'ok' | 'failed';
}

/** One agent that speaks for every resource of a labscape, and does as it is told as soon as it is told. */
export class ScriptedAgent {
  readonly #client: Client;
  readonly #id: string;
  readonly #labscape: string;
  readonly #carried: Map<string, Carried>;
  #seq = 0;

  constructor(client: Client, id: string, labscape: string, resources: readonly string[]) {
    this.#client = client;
    this.#id = id;
    this.#labscape = labscape;
    this.#carried = new Map(resources.map((name) => [name, { epoch: 0, revision: 0, status: 'ok' }]));
  }

  /** From now on its beats say so of the resource. */
  declare(resource: string, status: Carried['status']): void {
    this.#of(resource).status = status;
  }

  async beat(): Promise<HeartbeatAnswer> {
    this.#seq += 1;
    return this.#client.call('beat', {
      params: { labscape: this.#labscape },
      body: {
        agent: this.#id,
        seq: this.#seq,
        resources: [...this.#carried].map(([resource, { epoch, revision, status }]) => ({
          ...{ resource, status, epoch, assignmentRevision: revision },
        })),
      },
    });
  }

  /** A beat, and all that its answer asks for: fences acknowledged, orders answered, assignments run. */
  async round(): Promise<HeartbeatAnswer> {
    const answer = await this.beat();
    for (const { resource, status, epoch, leased, assignmentRevision } of answer.resources) {
      const carried = this.#of(resource);
      if (status === 'recovering' && epoch > carried.epoch) {
        await this.#report(resource, epoch, { fenced: true });
        carried.epoch = epoch;
      }
      // One that is offline returns with a beat at its new epoch.
      if (status === 'offline') carried.epoch = epoch;
      if (leased && assignmentRevision > carried.revision) await this.#run(resource);
    }
    for (const { resource, recovery } of answer.orders) {
      // What has failed for good nobody restores, and nobody says so.
      if (this.#of(resource).status === 'failed') continue;
      await this.#report(resource, this.#of(resource).epoch, { restore: { recovery, outcome: 'restored' } });
    }
    return answer;
  }

  /** Says of everything the resource is assigned that it runs. */
  async #run(resource: string): Promise<void> {
    const assigned = await this.#client.call('getAssignments', { params: { resource } });
    if (assigned === null || !assigned.complete) return;
    const groups = new Map<string, { group: string; epoch: number; running: number }>();
    for (const { group, groupEpoch } of assigned.items) {
      const running = (groups.get(group)?.running ?? 0) + 1;
      groups.set(group, { group, epoch: groupEpoch, running });
    }
    if (groups.size > 0) await this.#report(resource, assigned.epoch, { groups: [...groups.values()] });
    Object.assign(this.#of(resource), { epoch: assigned.epoch, revision: assigned.revision });
  }

  #report(resource: string, epoch: number, word: object): Promise<unknown> {
    return this.#client.call('report', { params: { resource }, body: { agent: this.#id, epoch, ...word } });
  }

  #of(resource: string): Carried {
    const carried = this.#carried.get(resource);
    if (carried === undefined) throw new Error(`the agent does not speak for ${resource}`);
    return carried;
  }
}
