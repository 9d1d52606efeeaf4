/** What was asked for on the command line cannot be done: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
