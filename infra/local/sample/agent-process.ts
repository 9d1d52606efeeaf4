import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { AskMessage, type ReplyMessage } from './agent-messages.ts';

export interface AgentProcessOptions {
  readonly resource: string;
  /** The bundled agent-main. */
  readonly program: string;
  readonly configFile: string;
  readonly logFile: string;
  /** A labscape's agent was ordered to bring a resource back. */
  readonly onOrder: (ask: AskMessage) => Promise<ReplyMessage['restored']>;
}

/** How long an agent gets to stop its work in order, ms. */
const STOP_MS_MAX = 8_000;
/** An agent's live heap is about 15 MB: a small young generation keeps a dozen of them light. */
const LIGHT = ['--max-semi-space-size=1', '--max-old-space-size=96', '--v8-pool-size=1'];

/** One agent as a process of its own, so that it can be killed like a host. */
export class AgentProcess {
  readonly resource: string;
  readonly #options: AgentProcessOptions;
  #child: ChildProcess | undefined;

  constructor(options: AgentProcessOptions) {
    this.resource = options.resource;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    if (this.#child !== undefined) return;
    const { program, configFile, logFile, onOrder } = this.#options;
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [...LIGHT, program, 'run', '--config', configFile], {
      stdio: ['ignore', 'ignore', log, 'ipc'],
      // The host's environment may hold a token or options for the host's own process.
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' },
    });
    closeSync(log);
    this.#child = child;
    child.on('message', (message) => {
      const ask = AskMessage.safeParse(message);
      if (!ask.success) return;
      void onOrder(ask.data).then((restored) => {
        const reply: ReplyMessage = { reply: ask.data.ask, restored };
        if (child.connected) child.send(reply);
      });
    });
    const gone = () => {
      if (this.#child === child) this.#child = undefined;
    };
    child.on('error', gone);
    child.on('exit', gone);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it by force, whatever state it is in, and waits until it is gone. */
  async destroy(): Promise<void> {
    const ended = this.#ended();
    this.kill('SIGKILL');
    await ended;
  }

  /** Lets it stop its work. */
  async stop(): Promise<void> {
    const ended = this.#ended();
    this.kill('SIGTERM');
    // A frozen agent does not hear SIGTERM.
    const timer = setTimeout(() => this.kill('SIGKILL'), STOP_MS_MAX);
    await ended;
    clearTimeout(timer);
  }

  #ended(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
  }
}
