import { beat } from '../../lib/services/health/heartbeat.ts';
import { takeAlarm } from '../../lib/services/recovery/alarm.ts';
import type { Runtime } from '../../lib/services/runtime.ts';
import { type PhasesRig, startPhases } from './phases-rig.ts';

export const BEAT_MS = 1_000;
export const LEASE_MS = 3_000;
/** Silence that is a failure, and the beat by which somebody looks. */
export const GONE_MS = LEASE_MS + 2 * BEAT_MS;
const ACCOUNT = '000000000000';

/** Labscapes of so many resources each, over the real engine, whose agents beat as they are told to, by a clock of the test's. */
export class HeardFleet {
  readonly rig: PhasesRig;
  /** Takes all beats, as one warm function would. */
  readonly control: Runtime;
  readonly resources = new Map<string, readonly string[]>();
  #seq = 0;

  constructor(rig: PhasesRig) {
    this.rig = rig;
    this.control = rig.warm();
  }

  async join(labscape: string, resources: number, policy: object = {}): Promise<readonly string[]> {
    const known = { mode: 'automatic', beatMs: BEAT_MS, leaseMs: LEASE_MS, coolDownMs: 0, breakerShare: 1 };
    const ids = await this.rig.labscape(labscape, resources, { ...known, ...policy });
    this.resources.set(labscape, ids);
    return ids;
  }

  /** One batch of a labscape's agent, for these of its resources. */
  async beatOf(labscape: string, resources: readonly string[], word: 'ok' | 'failed' = 'ok'): Promise<void> {
    this.#seq += 1;
    const entry = { epoch: 1, assignmentRevision: 1, status: word };
    const body = {
      ...{ agent: `of-${labscape}`, seq: this.#seq },
      resources: resources.map((resource) => ({ resource, ...entry })),
    };
    await beat(this.control, labscape, body, 'test');
  }

  /** So long the resources of these labscapes beat, but for some, and all others are silent. */
  async passes(ms: number, labscapes: readonly string[], but: readonly string[] = []): Promise<void> {
    for (let left = ms; left > 0; left -= BEAT_MS) {
      this.rig.clock.ms += Math.min(left, BEAT_MS);
      for (const labscape of labscapes) {
        const heard = (this.resources.get(labscape) ?? []).filter((id) => !but.includes(id));
        if (heard.length > 0) await this.beatOf(labscape, heard);
      }
    }
  }

  /** So long nobody is heard by anybody, nor looked for. */
  jumps(ms: number): void {
    this.rig.clock.ms += ms;
  }

  /** An alarm of the user's own, bound to a resource. */
  alarm(resource: string, runtime = this.control) {
    const message = { AlarmName: 'mine', AWSAccountId: ACCOUNT, NewStateValue: 'ALARM' } as const;
    const bindings = [{ alarmName: 'mine', resource }];
    const rest = { NewStateReason: 'it is hot', Trigger: { Dimensions: [] } };
    return takeAlarm(runtime, { ...message, ...rest }, { bindings, accounts: [ACCOUNT] }, 'test');
  }

  /** Our own alarm on a labscape's failed verdicts. */
  labscapeAlarm(labscape: string, runtime = this.control) {
    const message = {
      AlarmName: `failed-${labscape}`,
      AWSAccountId: ACCOUNT,
      NewStateValue: 'ALARM',
    } as const;
    const rest = { NewStateReason: '', Trigger: { Dimensions: [{ name: 'labscape', value: labscape }] } };
    return takeAlarm(runtime, { ...message, ...rest }, { bindings: [], accounts: [ACCOUNT] }, 'test');
  }

  /** Which recoveries the state machine was told to start. */
  started(): string[] {
    return this.rig.told
      .filter((line) => line.startsWith('start '))
      .map((line) => line.slice('start '.length));
  }

  async statuses(labscape: string): Promise<string[]> {
    const ids = this.resources.get(labscape) ?? [];
    return (await Promise.all(ids.map((id) => this.rig.resource(labscape, id)))).map(({ status }) => status);
  }
}

/** Such a fleet on tables of its own: what most labscapes do concerns them all. */
export async function startFleet(labscapes: readonly string[], policy: object = {}): Promise<HeardFleet> {
  const fleet = new HeardFleet(await startPhases());
  for (const labscape of labscapes) await fleet.join(labscape, 2, policy);
  await fleet.passes(3 * BEAT_MS, labscapes);
  return fleet;
}
