import { RecoveryId } from '../../../lib/schemas/common.ts';
import { parseOptions, UsageError } from '../../usage.ts';

export const USAGE = `npm run replay -- RECOVERY [--data DIR | --url URL --token TOKEN | --file FILE] [--json]

  --data DIR      the data folder of a local host that does not run
  --url URL       a control plane; URL and token may also come from LABSCAPE_URL and LABSCAPE_TOKEN
  --file FILE     a capsule as \`labscape recoveries ID --capsule FILE\` saves it
  --json          one line of JSON

Exit codes: 0 identical decisions, 1 a difference, or nothing to replay, 2 not understood.`;

/** Where a capsule comes from. */
export type Source =
  | { readonly kind: 'data'; readonly dir: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'api'; readonly url: string; readonly token: string | undefined };

export interface Arguments {
  readonly recovery: string;
  readonly source: Source;
  readonly json: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Throws UsageError with what is wrong. */
export const readArguments = (argv: readonly string[], environment: Environment): Arguments => {
  const { values, positionals } = parsed(argv);
  const [recovery, more] = positionals;
  if (recovery === undefined || more !== undefined) throw new UsageError('name one recovery');
  if (!RecoveryId.safeParse(recovery).success)
    throw new UsageError(`${recovery} is not the id of a recovery`);
  const given = [values.data, values.file, values.url].filter((one) => one !== undefined);
  if (given.length > 1) throw new UsageError('give one of --data, --file and --url');
  return { recovery, source: sourceOf(values, environment), json: values.json ?? false };
};

const parsed = (argv: readonly string[]) => {
  const text = { type: 'string' } as const;
  return parseOptions({
    args: [...argv],
    options: { data: text, file: text, url: text, token: text, json: { type: 'boolean' } },
    allowPositionals: true,
  });
};

const sourceOf = (
  values: { readonly data?: string; readonly file?: string; readonly url?: string; readonly token?: string },
  environment: Environment,
): Source => {
  if (values.data !== undefined) return { kind: 'data', dir: values.data };
  if (values.file !== undefined) return { kind: 'file', path: values.file };
  const url = values.url ?? environment['LABSCAPE_URL'];
  if (url === undefined || !URL.canParse(url))
    throw new UsageError('give --data, --file, or the --url of a control plane');
  return { kind: 'api', url, token: values.token ?? environment['LABSCAPE_TOKEN'] };
};
