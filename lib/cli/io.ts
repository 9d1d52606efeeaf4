/** What the command line needs of its process, passed in so that tests can be it. */
export interface CliIo {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether standard output, and standard error, are terminals. */
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Asks a person, and resolves with the line that was answered; absent where nobody sits at the terminal. */
  readonly ask?: (question: string) => Promise<string>;
  /** Lines that the terminal of standard output shows now. */
  readonly outRows?: () => number;
  /** Aborted when the user interrupts. */
  readonly interrupted: AbortSignal;
}
