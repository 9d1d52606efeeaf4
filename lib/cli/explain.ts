import { ApiContractError, ApiProblem, ApiUnreachable } from '../client/api-error.ts';
import { KeyFileError } from '../client/request-signer.ts';
import { EXIT, type ExitCode } from './command.ts';
import { FleetMoved } from './fleet-file/apply.ts';
import { reasonLines } from './problem-words.ts';

/** An error as people need it: what did not work, why, and what to do now. */
export interface Explanation {
  readonly what: string;
  readonly why: readonly string[];
  readonly now: string;
  readonly exit: ExitCode;
}

const NOW_BY_CODE: Readonly<Record<string, string>> = {
  'bad-request': 'Correct the values named above and run the command again.',
  'invalid-input': 'Correct the values named above and run the command again.',
  unauthenticated: 'Get a new token and pass it with --token or LABSCAPE_TOKEN, or sign with --key-file.',
  forbidden: 'Use the token of a principal that may do this, or ask an operator to do it.',
  quarantined: 'Ask an administrator: `labscape incidents` says why, and lifts it.',
  'principal-revoked': 'Ask an administrator why, and to reinstate the principal.',
  'not-found':
    'Check the name: `labscape status` lists resources, `labscape allocations` allocations, `labscape tenant list` tenants with a quota, `labscape plan list` plans, `labscape recoveries` recoveries.',
  'already-exists': 'Nothing: it is there already.',
  'idempotency-mismatch': 'Use another --key, or repeat exactly the request that the key was first used for.',
  'not-in-this-state': 'See its state with `labscape status`, and `labscape recoveries` for what runs.',
  'no-capacity': 'Ask for less, release something, add capacity, or wait for room with --on-full wait.',
  'quota-exceeded': "Release something, or ask an operator for a larger quota of the tenant's.",
  conflict: 'See how it stands now, and decide again.',
  'stale-precondition': 'Somebody else changed it: look at it again, then repeat the command.',
  'too-many-requests': 'Wait a moment and run the command again.',
  unavailable: 'Wait a moment and run the command again.',
  moving: 'It is being moved to another resource: run the command again in a second.',
  internal: 'Report the request id above to whoever runs the control plane.',
};

/** Any error of a command in words: what did not work, why, what to do now, and the exit code. */
export function explain(error: unknown, doing: string): Explanation {
  const what = `labscape ${doing} did not work`;
  if (error instanceof ApiProblem) return explainProblem(error, what);
  if (error instanceof ApiUnreachable) {
    return {
      ...{ what, why: [`nobody answers at ${error.message}`], exit: EXIT.unreachable },
      now: 'Check that the control plane runs, and the address in --url or LABSCAPE_URL.',
    };
  }
  if (error instanceof ApiContractError) {
    return {
      ...{ what, why: [error.message], exit: EXIT.failed },
      now: 'Check that the URL is that of a Labscape API of the same version as this command.',
    };
  }
  if (error instanceof FleetMoved) {
    const now = 'Run the command again to see the difference as it is now.';
    return { what, why: [error.message], now, exit: EXIT.failed };
  }
  if (error instanceof KeyFileError) {
    const now = 'Pass the file of a key with --key-file or LABSCAPE_KEY.';
    return { what, why: [error.message], now, exit: EXIT.failed };
  }
  const why = [error instanceof Error ? error.message : String(error)];
  if (isOfFiles(error))
    return {
      what,
      why,
      now: 'Name another file, or make room or give the right to write there.',
      exit: EXIT.failed,
    };
  return { what, why, now: 'This is a fault of the command itself: please report it.', exit: EXIT.failed };
}

/** What the file system answered, about a path that it names. */
const isOfFiles = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'syscall' in error && 'path' in error;

/** The server names the tenant; the command that creates it is known here. */
function nowWithoutTenant({ code, message }: ApiProblem): string | undefined {
  const [, tenant] = /^tenant (\S+) does not exist/.exec(message) ?? [];
  if (code !== 'not-found' || tenant === undefined) return undefined;
  return `Check the name with \`labscape tenant list\`, or have an operator create it: \`labscape tenant set ${tenant} --processing mvCPU --memory MiB --storage GiB --network Mbit/s\`.`;
}

/** An approval that was refused, since the recovery would do something else by now. */
const nowOfQuote = ({ code, reasons }: ApiProblem): string | undefined =>
  code === 'conflict' && 'quote' in reasons
    ? 'Look at it, and decide again: `labscape recoveries ID` shows the new quote.'
    : undefined;

function explainProblem(problem: ApiProblem, what: string): Explanation {
  const fields = problem.errors.map(({ field, reason }) => `${field} ${reason}`);
  const counts = Object.entries(problem.reasons).flatMap(([name, detail]) => reasonLines(name, detail));
  const request = problem.requestId === undefined ? [] : [`request ${problem.requestId}`];
  const now =
    nowWithoutTenant(problem) ??
    nowOfQuote(problem) ??
    NOW_BY_CODE[problem.code] ??
    (problem.status >= 500
      ? 'Wait a moment and run the command again.'
      : 'Correct the request and run the command again.');
  return {
    ...{ what: `${what}: ${problem.code}`, now, exit: EXIT.failed },
    why: [problem.message, ...fields, ...counts, ...request],
  };
}
