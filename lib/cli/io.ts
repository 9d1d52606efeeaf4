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

/** Colours, and what `watch` draws with: the only ones that the command line itself sends to a terminal. */
const OWN = '\\u001b\\[(?:[0-9;]{0,12}m|H|K|J|2J)';
const FOREIGN = new RegExp(
  `(${OWN})|[\\u0000-\\u0009\\u000b-\\u001f\\u007f-\\u009f\\u202a-\\u202e\\u2066-\\u2069]`,
  'g',
);

/** What others wrote may not move the cursor, retitle the window or reach the clipboard of whoever reads it. */
export const harmless = (text: string): string =>
  text.replace(FOREIGN, (found, own: string | undefined) =>
    own === undefined ? `\\u${(found.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}` : own,
  );
