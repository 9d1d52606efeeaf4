import { Agent, request } from 'node:http';

export interface EngineAnswer {
  readonly status: number;
  readonly body: string;
}

/** A line to the engine: one request at a time, as the SDK would send it. */
export class EngineLine {
  readonly #port: number;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(url: string) {
    this.#port = Number(new URL(url).port);
  }

  call(headers: Readonly<Record<string, string>>, body: string): Promise<EngineAnswer> {
    return new Promise((resolve, reject) => {
      const sent = request(
        { agent: this.#agent, host: '127.0.0.1', port: this.#port, method: 'POST', path: '/', headers },
        (answer) => {
          const parts: Buffer[] = [];
          answer.on('data', (part: Buffer) => parts.push(part));
          answer.on('end', () =>
            resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
          );
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
