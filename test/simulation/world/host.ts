/** A group as a host runs it. */
export interface Running {
  readonly epoch: number;
  readonly count: number;
}

/** A machine with its agent's memory: what it runs, until when it may. Times are virtual ms. */
export class SimulatedHost {
  readonly id: string;
  readonly labscape: string;
  alive = true;
  /** Work that is started only so late, ms; Infinity for an agent that never starts any. */
  startDelayMs = 0;
  leaseUntil = 0;
  epoch = 0;
  revision = -1;
  diesAt = Number.POSITIVE_INFINITY;
  readonly running = new Map<string, Running>();
  /** Starts that wait for their time, by group. */
  readonly starting = new Map<string, Running>();

  constructor(id: string, labscape: string) {
    this.id = id;
    this.labscape = labscape;
  }

  mayRun(now: number): boolean {
    return this.alive && now < this.leaseUntil;
  }

  stopAll(): void {
    this.running.clear();
    this.starting.clear();
  }

  /** Everything that ran is gone, and so is what the agent knew. */
  die(): void {
    this.alive = false;
    this.leaseUntil = 0;
    this.revision = -1;
    this.stopAll();
  }
}
