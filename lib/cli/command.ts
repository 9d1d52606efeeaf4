import * as z from 'zod';
import type { Client } from '../client/client.ts';
import type { Chance, Clock } from '../clock.ts';
import { parseSpan } from './format.ts';
import type { CliIo } from './io.ts';
import type { Paint } from './paint.ts';

/**
 * 0: done. 1: failed or refused. 2: the command was not understood. 3: nobody answers at the URL. 4: there are changes
 * that nobody has confirmed.
 */
export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3, pending: 4 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command line is wrong: says what, and the usage is shown with it. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Context {
  readonly client: Client;
  readonly io: CliIo;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly paint: Paint;
  readonly json: boolean;
  /** The result: as JSON with --json, else as people read it. Called once per command. */
  show(value: unknown, human: () => string): void;
}

export interface Invocation<F> {
  readonly flags: F;
  readonly positionals: readonly string[];
  /** What follows `--`. */
  readonly rest: readonly string[];
}

export interface Command {
  readonly name: string;
  /** After the name. */
  readonly usage: string;
  readonly summary: string;
  readonly positionals: { readonly min: number; readonly max: number };
  /** Whether words after `--` are for it. */
  readonly takesRest: boolean;
  /** Flags with a value, and those without. */
  readonly flagNames: readonly string[];
  readonly switches: readonly string[];
  run(context: Context, invocation: Invocation<Record<string, unknown>>): Promise<ExitCode>;
}

interface Definition<S extends z.ZodObject>
  extends Omit<Command, 'run' | 'flagNames' | 'switches' | 'takesRest' | 'positionals'> {
  readonly flags: S;
  readonly positionals?: Command['positionals'];
  readonly takesRest?: boolean;
  run(context: Context, invocation: Invocation<z.output<S>>): Promise<ExitCode>;
}

const isSwitch = (schema: unknown): boolean =>
  schema instanceof z.ZodOptional ? isSwitch(schema.unwrap()) : schema instanceof z.ZodBoolean;

/** A command whose flags are checked by a schema: names are kebab-cased, booleans take no value. */
export function defineCommand<S extends z.ZodObject>(definition: Definition<S>): Command {
  const { flags, positionals = { min: 0, max: 0 }, takesRest = false, run, ...rest } = definition;
  const names = Object.keys(flags.shape);
  const switches = names.filter((name) => isSwitch(flags.shape[name]));
  return {
    ...rest,
    positionals,
    takesRest,
    switches,
    flagNames: names.filter((name) => !switches.includes(name)),
    run: (context, invocation) => {
      const parsed = flags.safeParse(invocation.flags);
      if (!parsed.success) {
        const faults = parsed.error.issues.map((issue) => `--${issue.path.join('.')} ${issue.message}`);
        throw new UsageError(faults.join('; '));
      }
      return run(context, { ...invocation, flags: parsed.data });
    },
  };
}

/** Common kinds of flags, whose messages complete the sentence that begins with the flag's name. */
export const flag = {
  text: z.string({ error: 'is missing' }).min(1, 'must not be empty'),
  whole: z
    .string({ error: 'is missing' })
    .regex(/^\d{1,13}$/, 'must be a whole number')
    .transform(Number),
  span: z.string({ error: 'is missing' }).transform((text, context) => {
    const ms = parseSpan(text);
    if (ms !== undefined) return ms;
    context.addIssue({ code: 'custom', message: 'must be a time such as 90s, 15m, 2h or 7d' });
    return z.NEVER;
  }),
  oneOf: <const T extends readonly [string, ...string[]]>(names: T) =>
    z.enum(names, { error: `must be one of ${names.join(', ')}` }),
  list: z
    .string({ error: 'is missing' })
    .transform((text) => text.split(',').map((part) => part.trim()))
    .refine((parts) => parts.every((part) => part !== ''), 'must be names, separated by commas'),
  /** `2x500@a100,h100`: two devices, of each 500 thousandths, of one of these models; the last two may be left out. */
  devices: z.string({ error: 'is missing' }).transform((text, context) => {
    const match = /^(\d{1,3})(?:x(\d{1,5}))?(?:@(.+))?$/.exec(text);
    const [, count, milli, models] = match ?? [];
    if (count !== undefined)
      return {
        count: Number(count),
        ...(milli !== undefined && { milli: Number(milli) }),
        ...(models !== undefined && { models: models.split(',') }),
      };
    context.addIssue({ code: 'custom', message: 'must be COUNT, COUNTxMILLI or COUNTxMILLI@MODEL,…' });
    return z.NEVER;
  }),
  /** `web` or `web!`: apart from what has the same key, with `!` by a hard rule. */
  spread: z
    .string({ error: 'is missing' })
    .regex(/^[a-z0-9-]{1,40}!?$/, 'must be a key of a-z, 0-9 and -, with ! at its end for a hard rule')
    .transform((text) => ({ key: text.replace('!', ''), hard: text.endsWith('!') })),
  /** `h100x4`: four devices of a model. */
  bank: z.string({ error: 'is missing' }).transform((text, context) => {
    const match = /^(.+)x(\d{1,3})$/.exec(text);
    if (match?.[1] !== undefined) return { model: match[1], count: Number(match[2]) };
    context.addIssue({ code: 'custom', message: 'must be MODELxCOUNT' });
    return z.NEVER;
  }),
  /** `rack=a,disk=ssd`. */
  labels: z
    .string({ error: 'is missing' })
    .transform((text) => text.split(',').map((pair) => pair.trim().split('=')))
    .refine((pairs) => pairs.every((pair) => pair.length === 2), 'must be KEY=VALUE,…')
    .transform((pairs): Record<string, string> => Object.fromEntries(pairs)),
  on: z.boolean(),
} as const;

/** The word a command is about; the caller has checked that it is there. */
export function positional(invocation: Invocation<unknown>, index: number): string {
  const word = invocation.positionals[index];
  if (word === undefined) throw new UsageError('a word is missing');
  return word;
}
