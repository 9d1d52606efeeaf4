import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import {
  type Context,
  defineCommand,
  EXIT,
  type ExitCode,
  flag,
  positional,
  UsageError,
} from '../command.ts';
import { type Applied, applyChanges } from '../fleet-file/apply.ts';
import { type Change, hasSteps } from '../fleet-file/change.ts';
import { diffFleet } from '../fleet-file/diff.ts';
import { FleetFileError, parseFleetFile } from '../fleet-file/parse.ts';
import { diffLines } from '../fleet-file/render.ts';
import type { FleetFile } from '../fleet-file/schema.ts';
import { readFleet } from '../fleet-file/state.ts';

const WHY_UNREAD: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'you may not read it',
};

function whyUnread(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const why = 'code' in error ? WHY_UNREAD[String(error.code)] : undefined;
  return why ?? ('message' in error ? String(error.message) : String(error));
}

async function load(file: string): Promise<FleetFile> {
  try {
    return parseFleetFile(await readFile(file, 'utf8'), file);
  } catch (error) {
    if (error instanceof FleetFileError) throw new UsageError(error.message);
    throw new UsageError(`cannot read ${file}: ${whyUnread(error)}`);
  }
}

type Outcome = 'nothing-to-do' | 'refused' | 'pending' | 'applied' | 'failed';

const EXITS: Readonly<Record<Outcome, ExitCode>> = {
  'nothing-to-do': EXIT.done,
  refused: EXIT.failed,
  pending: EXIT.pending,
  applied: EXIT.done,
  failed: EXIT.failed,
};

const told = (changes: readonly Change[], applied: readonly Applied[], outcome: Outcome) => ({
  outcome,
  changes: changes.map(({ steps: _, ...change }) => change),
  applied,
});

/** What to do about the changes, as far as it is known before anything is done. */
async function decide(context: Context, changes: readonly Change[], flags: { yes?: boolean; dry?: boolean }) {
  if (changes.some(({ action }) => action === 'refused')) return 'refused';
  const count = changes.filter(hasSteps).length;
  if (count === 0) return 'nothing-to-do';
  if (flags.dry) return 'pending';
  if (flags.yes) return 'go';
  if (context.json || context.io.ask === undefined) return 'pending';
  const answer = await context.io.ask(
    `Apply ${count === 1 ? 'this change' : `these ${count} changes`}? [y/N] `,
  );
  return /^y(es)?$/i.test(answer.trim()) ? 'go' : 'pending';
}

const LAST_WORDS: Readonly<Partial<Record<Outcome, string>>> = {
  'nothing-to-do': 'Nothing to do.',
  refused: 'Nothing was done: what is marked ! cannot be had. Correct the file.',
  pending: 'Nothing was done. --yes applies it.',
};

export const apply = defineCommand({
  name: 'apply',
  usage: 'FILE.yaml [--dry-run] [--yes] [--prune] [--reason WHY]',
  summary: 'make the fleet as a file says: shows the difference, asks, and does it; see docs/adoption.md',
  positionals: { min: 1, max: 1 },
  flags: z.strictObject({
    'dry-run': flag.on.optional(),
    yes: flag.on.optional(),
    prune: flag.on.optional(),
    reason: flag.text.optional(),
  }),
  run: async (context, invocation) => {
    const { flags } = invocation;
    const { client, io, json, paint } = context;
    const path = positional(invocation, 0);
    const file = await load(path);
    const fleet = await readFleet(client, Object.keys(file.tenants), file.work);
    const changes = diffFleet(file, fleet, { prune: flags.prune ?? false });
    if (!json) io.out(`${diffLines(changes, paint).join('\n')}\n`);
    const decision = await decide(context, changes, {
      ...(flags.yes && { yes: true }),
      ...(flags['dry-run'] && { dry: true }),
    });
    const finish = (outcome: Outcome, applied: readonly Applied[] = []): ExitCode => {
      const words = LAST_WORDS[outcome];
      if (json) context.show(told(changes, applied, outcome), () => '');
      else if (words !== undefined) io.out(`${words}\n`);
      return EXITS[outcome];
    };
    if (decision !== 'go') return finish(decision);
    const applied: Applied[] = [];
    try {
      await applyChanges(client, changes, flags.reason ?? 'labscape apply', (one) => {
        applied.push(one);
        if (!json) io.out(`${paint('green', '✓')} ${one.kind} ${one.id} ${one.done}\n`);
      });
    } catch (error) {
      // What was done stands there before the error is explained.
      finish('failed', applied);
      throw error;
    }
    return finish('applied', applied);
  },
});
