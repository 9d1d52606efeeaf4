import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import * as z from 'zod';
import { ApiProblem } from '../../lib/client/api-error.ts';
import { ROLES, type TokenRole } from '../../lib/security/caller.ts';
import { parseOptions, UsageError, understood } from '../usage.ts';
import { OWNERS_UMASK } from './data-folder.ts';
import { asError, HostError, inWords } from './errors.ts';
import type { MintRequest } from './gateway/issuer.ts';
import { type Host, startHost } from './host.ts';
import { FLEET_SIZE, TENANT } from './sample/fleet-plan.ts';

const PORT_DEFAULT = 4600;
/** Long enough for a day's work with the printed tokens. */
const TOKEN_TTL_S = 24 * 3600;
/**
 * V8 lets a heap of this size grow fourfold before it collects, which is 400 MB with thirteen functions and a fleet that
 * beats; so it is 250 MB.
 */
const HEAP_GROWTH_PERCENT = 30;
const USAGE = 'npm start [-- [--empty] [--port N] [--data DIR]]';
/** What a shell leaves of a variable that is not set would else be port 0, or the current folder. */
const WHOLE_NUMBER = /^\d{1,9}$/;

interface Arguments {
  readonly empty: boolean;
  readonly port: number;
  readonly dataDir: string | undefined;
}

/** What the printed tokens speak for: the tenant and a labscape of the sample fleet. */
const SCOPES: Readonly<Record<TokenRole, Pick<MintRequest, 'tenant' | 'labscape'>>> = {
  admin: {},
  operator: {},
  tenant: { tenant: TENANT },
  agent: { labscape: FLEET_SIZE.labscapes[0] ?? 'north' },
};

const Port = z
  .string()
  .regex(WHOLE_NUMBER, '--port must be a whole number')
  .transform(Number)
  .pipe(z.int().max(65_535, '--port must be from 0 to 65535'));

const Values = z.object({
  empty: z.boolean().default(false),
  port: Port.default(PORT_DEFAULT),
  data: z.string().trim().min(1, '--data must name a folder').optional(),
});

/** Throws UsageError. */
function readArguments(argv: readonly string[]): Arguments {
  const text = { type: 'string' } as const;
  const options = { empty: { type: 'boolean' }, port: text, data: text } as const;
  const parsed = Values.safeParse(parseOptions({ args: [...argv], options }).values);
  if (!parsed.success) throw new UsageError(parsed.error.issues.map(({ message }) => message).join('; '));
  const { empty, port, data } = parsed.data;
  return { empty, port, dataDir: data };
}

async function welcome(host: Host, empty: boolean): Promise<string> {
  const tokens = await Promise.all(
    ROLES.map((role) =>
      host.mint({ sub: `local-${role}`, roles: [role], ...SCOPES[role], ttlSeconds: TOKEN_TTL_S }),
    ),
  );
  return [
    `\nLabscape is up at ${host.url} (started in ${(host.startedInMs / 1000).toFixed(1)} s)`,
    `Data: ${host.dataDir}\n`,
    'A token per role, good for a day:',
    ...ROLES.map((role, i) => `export ${role.toUpperCase()}=${tokens[i]}`),
    '\nTo try:',
    `curl ${host.url}/health`,
    `export LABSCAPE_URL=${host.url} LABSCAPE_TOKEN=$ADMIN && npm run -s labscape -- status`,
    empty
      ? 'then as docs/setup.md says: your own fleet'
      : 'npm run -s labscape -- fail north-1 --reason test --watch',
    '\nCtrl-C stops it.\n',
  ].join('\n');
}

/** What becomes of the data of an engine that has ended. */
const afterwards = (dataDir: string | undefined): string =>
  dataDir === undefined
    ? 'What it held was in memory and is gone: --data DIR keeps it.'
    : `Nothing that was answered with success is lost: start again with --data ${dataDir}.`;

/** The exit code. */
async function main(): Promise<number> {
  const asked = understood(USAGE, readArguments);
  if (typeof asked === 'number') return asked;
  const { empty, port, dataDir } = asked;
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  process.umask(OWNERS_UMASK);
  const signal = nextSignal();
  // One function's promise that nobody awaits would end a sandbox on Lambda, not the whole control plane.
  process.on('unhandledRejection', (reason) => {
    process.stderr.write(`unhandled rejection: ${asError(reason).stack ?? asError(reason).message}\n`);
  });
  const host = await startHost({
    port,
    ...(dataDir === undefined ? {} : { dataDir }),
    progress: (step) => process.stdout.write(`starting: ${step}\n`),
  });
  const died = host.died.then((why) => Promise.reject(new HostError(`${why} ${afterwards(dataDir)}`)));
  const fleet = empty ? Promise.resolve(undefined) : startFleet(host);
  const stopFleet = () => fleet.then((started) => started?.stop()).catch(() => {});
  let up = false;
  try {
    up = await Promise.race([fleet.then(() => true), signal.then(() => false), died]);
    if (up) {
      process.stdout.write(await welcome(host, empty));
      await Promise.race([signal, died]);
    }
  } finally {
    // A fleet that is still being set up ends when its host does.
    if (up) await stopFleet();
    await host.stop();
    await stopFleet();
  }
  return 0;
}

/** Loaded when it is needed, since it brings esbuild along. */
async function startFleet(host: Host): Promise<{ stop(): Promise<void> }> {
  process.stdout.write('starting: sample fleet\n');
  const { startSampleFleet } = await import('./sample-fleet.ts');
  const progress = (step: string): boolean => process.stdout.write(`starting: sample fleet: ${step}\n`);
  try {
    return await startSampleFleet(host, { progress });
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
    throw new HostError(
      `The sample fleet could not be set up: ${error.message} (request ${error.requestId ?? 'unknown'}). The logs in ${join(host.dataDir, 'logs')} say more; --empty starts without it.`,
    );
  }
}

/** Resolves at the first request to stop; a second one does not wait for the clean end. */
function nextSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.once(name, () => {
        resolve(undefined);
        process.once(name, () => process.exit(130));
      });
    }
  });
}

if (import.meta.main)
  main().then(
    (code) => process.exit(code),
    (thrown: unknown) => {
      const error = inWords(thrown);
      const known = error instanceof HostError;
      process.stderr.write(`${known ? error.message : (asError(error).stack ?? asError(error).message)}\n`);
      process.exit(1);
    },
  );
