import { type ParseArgsConfig, parseArgs } from 'node:util';

const EXIT_USAGE = 2;

/** What was asked for on the command line cannot be done: told in one line with the usage, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What parseArgs adds about words that begin with a dash; none of these programs takes any. */
const ADVICE = /(?:\. To specify|\n)[\s\S]*$/;

/** `parseArgs`, whose refusals are UsageErrors of one line. */
export function parseOptions<const T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError((error instanceof Error ? error.message : String(error)).replace(ADVICE, ''));
  }
}

/** The number that `text` writes; throws UsageError unless it is whole and at least `least`. */
export function wholeNumber(option: string, text: string, least: number): number {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least)
    throw new UsageError(`${option} must be a whole number from ${least} on`);
  return Number(text);
}

/**
 * What `read` makes of the words after the program's name; or the exit code where they leave nothing to do: 0 for
 * --help, with the usage on standard output, 2 for a UsageError, told with the usage on standard error.
 */
export function understood<T extends object>(
  usage: string,
  read: (argv: readonly string[]) => T,
): T | number {
  const argv = process.argv.slice(2);
  if (argv.some((word) => word === '--help' || word === '-h')) {
    process.stdout.write(`${usage}\n`);
    return 0;
  }
  try {
    return read(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n\n${usage}\n`);
    return EXIT_USAGE;
  }
}
