import { parseArgs } from 'node:util';
import { type Client, createClient } from '../client/client.ts';
import { signerFromFile } from '../client/request-signer.ts';
import type { Chance, Clock } from '../clock.ts';
import { type Command, type Context, EXIT, type ExitCode, type Invocation, UsageError } from './command.ts';
import { allocate, allocations, release, renew } from './commands/allocations.ts';
import { apply } from './commands/apply.ts';
import { audit } from './commands/audit.ts';
import { backup } from './commands/backup.ts';
import { batch } from './commands/batch.ts';
import { copies } from './commands/copies.ts';
import { drills } from './commands/drills.ts';
import { explain as explainPlacement } from './commands/explain.ts';
import { exportFleet } from './commands/export.ts';
import { drain, fail } from './commands/fail.ts';
import { failback } from './commands/failback.ts';
import { activate, labscapes, register, resources, retire } from './commands/fleet.ts';
import { erase, incidents } from './commands/incidents.ts';
import { key } from './commands/key.ts';
import { maintenance, mode } from './commands/labscape-mode.ts';
import { observed } from './commands/observed.ts';
import { override } from './commands/override.ts';
import { plan } from './commands/plan.ts';
import { quote } from './commands/quote.ts';
import { readiness } from './commands/readiness.ts';
import { rebalance } from './commands/rebalance.ts';
import { recoveries } from './commands/recoveries.ts';
import { status } from './commands/status.ts';
import { tenant } from './commands/tenant.ts';
import { watch } from './commands/watch.ts';
import { why } from './commands/why.ts';
import { acknowledge, approve, cancel, reject, resume } from './commands/words.ts';
import { explain } from './explain.ts';
import { type CliIo, harmless } from './io.ts';
import { nearest } from './nearest.ts';
import { type Paint, paintFor } from './paint.ts';

/** In the order of the help. */
const COMMANDS: readonly Command[] = [
  status,
  watch,
  labscapes,
  resources,
  register,
  apply,
  exportFleet,
  mode,
  maintenance,
  allocate,
  batch,
  explainPlacement,
  allocations,
  release,
  renew,
  copies,
  tenant,
  fail,
  drain,
  activate,
  retire,
  failback,
  rebalance,
  readiness,
  drills,
  quote,
  plan,
  recoveries,
  approve,
  reject,
  cancel,
  resume,
  acknowledge,
  observed,
  override,
  key,
  why,
  incidents,
  erase,
  audit,
  backup,
];

const GLOBAL = {
  url: { type: 'string' },
  token: { type: 'string' },
  'key-file': { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const USAGE = 'usage: labscape COMMAND [--url URL] [--token TOKEN | --key-file FILE] [--json]';
const SHORT_USAGE = `${USAGE}\nlabscape help lists the commands.`;

function helpText(paint: Paint): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = COMMANDS.map(({ name, summary }) => `  ${paint('bold', name.padEnd(width))}  ${summary}`);
  return [
    USAGE,
    '',
    ...lines,
    '',
    'labscape COMMAND --help says more. URL, token and key file may also come from LABSCAPE_URL, LABSCAPE_TOKEN and LABSCAPE_KEY.',
    'Exit codes: 0 done, 1 failed or refused, 2 not understood, 3 nobody answers, 4 changes wait for a yes.',
    '',
  ].join('\n');
}

const usageOf = ({ name, usage, summary }: Command): string =>
  `usage: labscape ${[name, usage].join(' ').trimEnd()}\n${summary}\n`;

/** Runs one command. All errors end here: said on standard error, as an exit code. */
export async function main(
  argv: readonly string[],
  given: CliIo,
  clock: Clock,
  chance: Chance,
): Promise<ExitCode> {
  const io: CliIo = {
    ...given,
    out: (text) => given.out(harmless(text)),
    err: (text) => given.err(harmless(text)),
  };
  const [name, ...words] = argv;
  const errPaint = paintFor(io.errIsTerminal, io.environment);
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    (name === undefined ? io.err : io.out)(helpText(paintFor(io.outIsTerminal, io.environment)));
    return name === undefined ? EXIT.usage : EXIT.done;
  }
  const command = COMMANDS.find((each) => each.name === name);
  if (command === undefined) {
    const meant = nearest(
      name,
      COMMANDS.map((each) => each.name),
    );
    const guess = meant === undefined ? '' : `: did you mean ${meant}?`;
    io.err(`${errPaint('red', `labscape knows no command ${name}${guess}`)}\n${SHORT_USAGE}\n`);
    return EXIT.usage;
  }
  try {
    const parsed = parse(command, words);
    if (parsed === 'help') {
      io.out(usageOf(command));
      return EXIT.done;
    }
    return await command.run(contextOf(parsed, io, clock, chance), parsed);
  } catch (error) {
    // The user has had enough: that is no failure of the command.
    if (io.interrupted.aborted) return EXIT.done;
    if (error instanceof UsageError) {
      io.err(`${errPaint('red', `labscape ${name}: ${error.message}`)}\n${usageOf(command)}`);
      return EXIT.usage;
    }
    const { what, why: reasons, now, exit } = explain(error, name);
    io.err(`${errPaint('red', what)}\n${reasons.map((line) => `  ${line}`).join('\n')}\n${now}\n`);
    return exit;
  }
}

interface Parsed extends Invocation<Record<string, unknown>> {
  readonly global: { url?: string; token?: string; keyFile?: string; json?: boolean };
}

function parse(command: Command, words: readonly string[]): Parsed | 'help' {
  const cut = words.indexOf('--');
  const before = cut < 0 ? words : words.slice(0, cut);
  const rest = cut < 0 ? [] : words.slice(cut + 1);
  const own = [
    ...command.flagNames.map((flag) => [flag, { type: 'string' as const }]),
    ...command.switches.map((flag) => [flag, { type: 'boolean' as const }]),
  ];
  const { values, positionals } = parseFlags(before, { ...GLOBAL, ...Object.fromEntries(own) });
  const { url, token, 'key-file': keyFile, json, help, ...flags } = values;
  if (help) return 'help';
  const { min, max } = command.positionals;
  if (positionals.length < min) throw new UsageError('something to act on is missing');
  if (positionals.length > max)
    throw new UsageError(`does not understand ${positionals.slice(max).join(' ')}`);
  if (rest.length > 0 && !command.takesRest) throw new UsageError('takes nothing after --');
  const global = {
    ...(url && { url }),
    ...(token && { token }),
    ...(keyFile && { keyFile }),
    ...(json && { json }),
  };
  return { global, flags, positionals, rest };
}

function parseFlags(
  args: readonly string[],
  options: typeof GLOBAL & Record<string, { type: 'string' | 'boolean' }>,
) {
  const parsed = parseTyped(args, options);
  const said = parsed.tokens.flatMap((token) =>
    token.kind === 'option' && token.value !== undefined ? [token.name] : [],
  );
  // Only the last would count, and the one before would be lost without a word.
  const twice = said.find((name, at) => said.indexOf(name) !== at);
  if (twice !== undefined) throw new UsageError(`--${twice} is said twice: say it once`);
  return parsed;
}

const messageOf = (error: unknown): string =>
  typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);

function parseTyped(
  args: readonly string[],
  options: typeof GLOBAL & Record<string, { type: 'string' | 'boolean' }>,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, tokens: true });
  } catch (error) {
    const message = messageOf(error).split('. ')[0] ?? '';
    const [, typed] = /^Unknown option '--([^']+)'/.exec(message) ?? [];
    const meant = typed === undefined ? undefined : nearest(typed, Object.keys(options));
    throw new UsageError(meant === undefined ? message : `${message}: did you mean --${meant}?`);
  }
}

function contextOf({ global }: Parsed, io: CliIo, clock: Clock, chance: Chance): Context {
  const url = global.url ?? io.environment['LABSCAPE_URL'];
  const token = global.token ?? io.environment['LABSCAPE_TOKEN'];
  // What is said here goes before what the environment says.
  const keyFile = global.keyFile ?? (global.token === undefined ? io.environment['LABSCAPE_KEY'] : undefined);
  const json = global.json ?? false;
  const credentials = keyFile
    ? { signer: signerFromFile(keyFile, clock, chance) }
    : token && { token: () => token };
  const show: Context['show'] = (value, human) =>
    io.out(`${json ? JSON.stringify(value, null, 2) : human()}\n`);
  const paint = paintFor(io.outIsTerminal, io.environment);
  let client: Client | undefined;
  return {
    ...{ io, clock, chance, json, show, paint },
    // Some commands ask nobody: those need not know where.
    get client() {
      client ??= createClient({ url: checkedUrl(url), chance, ...credentials });
      return client;
    },
  };
}

function checkedUrl(url: string | undefined): string {
  if (url === undefined || url === '') {
    throw new UsageError('does not know where the control plane is: pass --url, or set LABSCAPE_URL');
  }
  if (!URL.canParse(url)) throw new UsageError(`${url} is not a URL`);
  if (!/^https?:$/.test(new URL(url).protocol))
    throw new UsageError(`${url} is not an http or https address`);
  return url;
}
