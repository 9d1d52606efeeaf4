import { parseOptions, UsageError } from '../../usage.ts';

export const USAGE = `npm run audit:verify -- --data DIR [--public-key FILE] [--pruned] [--json]

  --data DIR         the data folder of a local host that does not run, or a copy of one
  --public-key FILE  an Ed25519 public key that signed seals: PEM, or JSON from \`labscape audit keys --json\`;
                     without it the seals are checked with the keys that the folder names
  --pruned           old events may be missing in the table, where a seal holds them and the archive has them
  --json             one line of JSON

Exit codes: 0 all is as it was written, 1 it is not, 2 not understood.`;

export interface Arguments {
  readonly dataDir: string;
  readonly keyFile: string | undefined;
  readonly pruned: boolean;
  readonly json: boolean;
}

/** Throws UsageError with what is wrong. */
export const readArguments = (argv: readonly string[]): Arguments => {
  const text = { type: 'string' } as const;
  const on = { type: 'boolean', default: false } as const;
  const { values } = parseOptions({
    args: [...argv],
    options: { data: text, 'public-key': text, pruned: on, json: on },
  });
  if (values.data === undefined) throw new UsageError('give --data DIR');
  return { dataDir: values.data, keyFile: values['public-key'], pruned: values.pruned, json: values.json };
};
