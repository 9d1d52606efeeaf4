import type { AlarmBinding, AlarmMessage } from '../../lib/schemas/alarm.ts';
import type { Phase, PhaseResult } from '../../lib/schemas/recovery.ts';
import { beat } from '../../lib/services/health/heartbeat.ts';
import { takeAlarm } from '../../lib/services/recovery/alarm.ts';
import { answerWait } from '../../lib/services/recovery/waits.ts';
import { type ExecutionInput, executionName, type Runtime } from '../../lib/services/runtime.ts';
import type { PhaseAnswer } from '../../lib/workflow/phases/context.ts';
import { type PhasesRig, startPhases } from './phases-rig.ts';

export const BEAT_MS = 1_000;
export const LEASE_MS = 3_000;
/** Silence that is a failure, and the beat by which somebody looks. */
export const GONE_MS = LEASE_MS + 2 * BEAT_MS;
const ACCOUNT = '000000000000';

/** What those say whom a recovery waits for. */
const ANSWERS: Readonly<Partial<Record<Phase, string>>> = {
  AwaitFence: 'acknowledged',
  RestoreSystem: 'restored',
  ResumeService: 'running',
};

export interface Driving {
  readonly trigger?: ExecutionInput['trigger'];
  readonly from?: string;
  readonly step?: (state: string, once: () => Promise<PhaseAnswer>) => Promise<PhaseAnswer>;
}

/** Labscapes of so many resources each, over the real engine, whose agents beat as they are told to, by a clock of the test's. */
export class HeardFleet {
  readonly rig: PhasesRig;
  /** Takes all beats, as one warm function would. */
  readonly control: Runtime;
  readonly resources = new Map<string, readonly string[]>();
  /** What a labscape's agent says of others' resources in each of its batches. */
  readonly said = new Map<string, { reached?: string[]; unreached?: string[] }>();
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

  /** One batch of a labscape's agent, for these of its resources: it has carried out whatever it was told. */
  async beatOf(
    labscape: string,
    resources: readonly string[],
    word: 'ok' | 'failed' = 'ok',
    said = this.said.get(labscape) ?? {},
  ) {
    this.#seq += 1;
    const seq = this.#seq;
    const entries = resources.map(async (resource) => {
      const { epoch } = await this.rig.resource(labscape, resource);
      return { resource, epoch, assignmentRevision: 1, status: word };
    });
    const body = { ...{ agent: `of-${labscape}`, seq, ...said }, resources: await Promise.all(entries) };
    return beat(this.control, labscape, body, 'test');
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

  /**
   * Drives a recovery through the phases to its end, as the state machine does, and answers what it waits for. `step`
   * may do something else than run the phase once. Which states it passed.
   */
  async recover(labscape: string, resource: string, options: Driving = {}): Promise<string[]> {
    const { trigger = 'detector', step } = options;
    const { epoch, attempt } = await this.rig.resource(labscape, resource);
    const input = { resource, epoch, attempt, trigger };
    const id = executionName(input);
    const passed: string[] = [];
    let carry: readonly PhaseResult[] = [];
    for (let state = options.from ?? 'Detect'; state !== 'End'; ) {
      passed.push(state);
      const waits = state.startsWith('Await');
      const more: { carry: readonly PhaseResult[]; taskToken?: string } = {
        carry,
        ...(waits ? { taskToken: `token-${state}` } : {}),
      };
      const once = () => this.rig.run(this.rig.warm(), state, input, more);
      const answer = await (step === undefined ? once() : step(state, once));
      if (waits) {
        const { waiting } = await this.rig.recovery(id);
        if (waiting !== undefined && waiting.answer === undefined)
          await answerWait(this.control, id, waiting.phase, ANSWERS[waiting.phase] ?? '');
      }
      carry = waits ? [] : (answer.carry ?? []);
      state = waits ? ((await this.rig.recovery(id)).nextPhase ?? 'End') : answer.proceed;
    }
    return passed;
  }

  anyAlarm(said: Partial<AlarmMessage>, bindings: readonly AlarmBinding[] = [], runtime = this.control) {
    const message = { AlarmName: 'mine', AWSAccountId: ACCOUNT, NewStateValue: 'ALARM' } as const;
    const rest = { NewStateReason: 'it is hot', Trigger: { Dimensions: [] } };
    return takeAlarm(runtime, { ...message, ...rest, ...said }, { bindings, accounts: [ACCOUNT] }, 'test');
  }

  /** An alarm of the user's own, bound to a resource. */
  alarm(resource: string) {
    return this.anyAlarm({}, [{ alarmName: 'mine', resource }]);
  }

  /** Our own alarm on a labscape's failed verdicts. */
  labscapeAlarm(labscape: string) {
    const Dimensions = [{ name: 'labscape', value: labscape }];
    return this.anyAlarm({ AlarmName: `failed-${labscape}`, Trigger: { Dimensions } });
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
