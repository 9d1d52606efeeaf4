import { nodeTransport } from '../../../lib/client/node-transport.ts';
import type { Transport } from '../../../lib/client/transport.ts';

/** The connection of one agent to the control plane: it can be cut, as a host's network can. */
export class Line {
  readonly #transport = nodeTransport();
  #cut = new AbortController();
  #heardBeatAt: number | undefined;

  readonly send: Transport = async (request) => {
    const { signal } = this.#cut;
    signal.throwIfAborted();
    const sentAt = Date.now();
    // What is on its way when the line is cut is not heard any more.
    const answer = await this.#transport.send({
      ...request,
      signal: AbortSignal.any([request.signal, signal]),
    });
    if (answer.status === 200 && request.url.pathname.endsWith('/heartbeats')) {
      this.#heardBeatAt = Math.max(sentAt, this.#heardBeatAt ?? 0);
    }
    return answer;
  };

  /** When the latest beat was sent that was answered, epoch ms: the agent's lease is counted from just before. */
  get heardBeatAt(): number | undefined {
    return this.#heardBeatAt;
  }

  cut(): void {
    this.#cut.abort(new Error('the drill has cut this agent off'));
  }

  mend(): void {
    if (this.#cut.signal.aborted) this.#cut = new AbortController();
  }

  close(): void {
    this.#transport.close();
  }
}
