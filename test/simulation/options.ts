import { parseOptions, UsageError, wholeNumber } from '../../infra/usage.ts';
import { Policy } from '../../lib/schemas/labscape.ts';
import { MUTATIONS } from './mutations/mutations.ts';
import { WORKERS } from './worker/pool.ts';

export const USAGE = `npm run sim [-- OPTIONS]

  --seeds N         so many histories (10)
  --from N          the first of them (1)
  --factor N        so many times the faults (1)
  --seed N          that one history; with --trace all of it, with --left-out 1-11,13 without these faults
  --mutations       puts every known bug in and looks whether it is caught; --mutation NAME: only that one
  --availability    the study of availability alone; with --beat-ms N beats of that, and leases of three (as by default)
  --sdk             every store call takes all layers of the SDK
  --workers N       processes, each with an engine (${WORKERS})
  --json            one line of JSON on standard output, everything else on standard error

Exit codes: 0 all held, 1 something did not, or the run was too weak, 2 not understood.`;

/** What `npm run sim` is asked for. */
export interface Arguments {
  readonly seeds: number;
  readonly from: number;
  /** Only this one. */
  readonly seed: number | undefined;
  readonly factor: number;
  /** Numbers of faults, such as `1-11,13`. */
  readonly leftOut: string;
  readonly mutation: string | undefined;
  readonly workers: number;
  readonly trace: boolean;
  readonly json: boolean;
  readonly availability: boolean;
  /** Of the histories that availability is measured in, ms. */
  readonly beatMs: number;
  readonly mutations: boolean;
  readonly sdk: boolean;
}

/** Throws UsageError. */
export const readArguments = (argv: readonly string[]): Arguments => {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const some = { type: 'string' } as const;
  const off = { type: 'boolean', default: false } as const;
  const options = {
    ...{ seeds: text('10'), from: text('1'), factor: text('1'), workers: text(String(WORKERS)) },
    'beat-ms': text(String(Policy.parse({}).beatMs)),
    ...{ seed: some, mutation: some, 'left-out': text('') },
    ...{ trace: off, json: off, availability: off, mutations: off, sdk: off },
  } as const;
  const { values } = parseOptions({ args: [...argv], options });
  const { seed, mutation, 'left-out': leftOut, 'beat-ms': beatMs, ...others } = values;
  const { seeds, from, factor, workers, ...switches } = others;
  if (!/^(\d{1,9}(-\d{1,9})?(,\d{1,9}(-\d{1,9})?)*)?$/.test(leftOut))
    throw new UsageError('--left-out must be numbers of faults such as 1-11,13');
  if (mutation !== undefined && !MUTATIONS.some(({ name }) => name === mutation))
    throw new UsageError(`--mutation must be one of ${MUTATIONS.map(({ name }) => name).join(', ')}`);
  return {
    ...switches,
    ...{ leftOut, mutation },
    seed: seed === undefined ? undefined : wholeNumber('--seed', seed, 0),
    seeds: wholeNumber('--seeds', seeds, 1),
    from: wholeNumber('--from', from, 0),
    factor: wholeNumber('--factor', factor, 1),
    workers: wholeNumber('--workers', workers, 1),
    beatMs: wholeNumber('--beat-ms', beatMs, 100),
  };
};
