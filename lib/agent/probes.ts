import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentConfig } from './config.ts';

/** What was found when it was last tried. */
export interface ProbedWord {
  readonly reached?: string[];
  readonly unreached?: string[];
  readonly unreachable?: string[];
}

type Probe = AgentConfig['probes'][number];

/** Whether a connection comes about; `http` asks for the address, and any answer will do: somebody is there. */
const reaches = async ({ address }: Probe, timeoutMs: number): Promise<boolean> => {
  const url = new URL(address);
  if (url.protocol !== 'tcp:') {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await fetch(url, { method: 'HEAD', redirect: 'manual', signal });
      await answer.body?.cancel();
      return true;
    } catch {
      return false;
    }
  }
  const socket = connect({
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port),
    timeout: timeoutMs,
  });
  return new Promise((resolve) => {
    const end = (reached: boolean) => {
      socket.destroy();
      resolve(reached);
    };
    socket
      .once('connect', () => end(true))
      .once('timeout', () => end(false))
      .once('error', () => end(false));
  });
};

/** Tries again and again to reach what its configuration names, and nothing else: nobody tells an agent where to go. */
export class Probes {
  readonly #probes: readonly Probe[];
  readonly #everyMs: number;
  readonly #stopping = new AbortController();
  readonly #found = new Map<Probe, boolean>();

  constructor({ probes, probeEveryMs }: Pick<AgentConfig, 'probes' | 'probeEveryMs'>) {
    this.#probes = probes;
    this.#everyMs = probeEveryMs;
  }

  start(): void {
    for (const probe of this.#probes) void this.#watch(probe);
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** What to say of others now; nothing of those that it has not tried yet. */
  word(): ProbedWord {
    const named = (kind: 'resource' | 'labscape', reached: boolean): string[] => [
      ...new Set([...this.#found].flatMap(([probe, is]) => (is === reached ? (probe[kind] ?? []) : []))),
    ];
    // A labscape is reached where any of its addresses is.
    const seen = new Set(named('labscape', true));
    const word = {
      reached: named('resource', true),
      unreached: named('resource', false),
      unreachable: named('labscape', false).filter((id) => !seen.has(id)),
    };
    return Object.fromEntries(Object.entries(word).filter(([, ids]) => ids.length > 0));
  }

  async #watch(probe: Probe): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#found.set(probe, await reaches(probe, this.#everyMs));
      await sleep(this.#everyMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
