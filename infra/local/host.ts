import { existsSync, readFileSync } from 'node:fs';
import * as z from 'zod';
import { BreakGlassKey } from '../../lib/schemas/signing.ts';
import { startAlarms } from './alarms.ts';
import { type DataFolder, openDataFolder } from './data-folder.ts';
import {
  type Counters,
  startDynamodbEndpoint,
  type TransactionRecord,
} from './database/dynamodb-endpoint.ts';
import { type Engine, startEngine } from './database/engine.ts';
import { HostError, inWords } from './errors.ts';
import { accessKeys, Functions, type Invocation } from './functions/functions.ts';
import type { PermissionUse } from './functions/guard.ts';
import { LogSink, type MetricListener } from './functions/logs.ts';
import { startApiGateway } from './gateway/api-gateway.ts';
import { type Mint, openIssuer } from './gateway/issuer.ts';
import { refuseIfTaken } from './gateway/listen.ts';
import { startKmsEndpoint } from './kms/kms-endpoint.ts';
import { SigningKeys } from './kms/signing-keys.ts';
import { startS3Endpoint } from './objects/s3-endpoint.ts';
import { startSchedules } from './schedules.ts';
import { useAssembly } from './template/assembly-use.ts';
import { synthesise } from './template/synthesise.ts';
import { ensureTables } from './template/tables.ts';
import { type LocalTemplate, readTemplate } from './template/template.ts';
import { type Execution, Executions } from './workflow/executions.ts';
import { startStepFunctionsEndpoint } from './workflow/step-functions.ts';

/** CloudFormation parameter that carries the local issuer's public key. */
const KEYS_PARAMETER = 'IssuerKeys';
/** The same for the keys that work without it. */
const BREAK_GLASS_PARAMETER = 'BreakGlassKeys';
/** What calls that still run get to end in peace when the host stops. */
const DRAIN_MS = 2000;

export interface HostOptions {
  /** Kept over restarts; without it data lives in memory and a temporary folder, and goes with the host. */
  readonly dataDir?: string;
  /** 0 takes a free one. */
  readonly port: number;
  /**
   * Checks of each call to DynamoDB, Step Functions and S3: IAM, transaction conflicts, counters. Without them functions
   * talk to the engine directly; for benchmarks. Default true.
   */
  readonly guards?: boolean;
  /** Level of the functions' logs; `silent` writes none. Default: the template's. */
  readonly logLevel?: 'silent' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';
  /** Whether the detector starts recoveries itself; false leaves it to alarms. Default: the template's. */
  readonly detectorStarts?: boolean;
  /** Set for all functions on top of the template: for tests of what a stage configures. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Whether to call the template's schedules (the sweep, every minute) and evaluate its alarms. Default true. */
  readonly schedules?: boolean;
  /** An assembly made before; by default it is synthesized if the sources have changed. */
  readonly assemblyDir?: string;
  /** Hears of each step of the start. */
  readonly progress?: (step: string) => void;
}

export interface Host {
  readonly url: string;
  readonly dataDir: string;
  readonly guards: boolean;
  readonly startedInMs: number;
  /** The engine behind the guards: for checkers and benchmarks that look past the API. */
  readonly engine: { readonly url: string; readonly pid: number };
  readonly template: LocalTemplate;
  /** A signed token for the API. */
  readonly mint: Mint;
  /** Calls to DynamoDB by function and operation, e.g. `status.Query`; empty without guards. */
  counters(): Counters;
  /** What functions needed of DynamoDB, Step Functions and S3, and whether their roles allowed it; empty without guards. */
  permissionsUsed(): readonly PermissionUse[];
  /** Write transactions with the items they touched, the last 2000; empty without guards. */
  transactions(): readonly TransactionRecord[];
  /** Executions of the state machine, newest first. */
  executions(): readonly Execution[];
  /** Calls a function as Lambda would; the name is its folder in functions/. */
  invoke(name: string, event: unknown): Promise<Invocation>;
  /** Hears of each metric document the functions write; returns how to stop it. */
  onMetric(listener: MetricListener): () => void;
  /** Settles if the engine dies, with a sentence on why. */
  readonly died: Promise<string>;
  stop(): Promise<void>;
}

type Undo = (() => Promise<unknown> | unknown)[];

/** Hosts the synthesized template on this machine. Throws HostError with one clear sentence. */
export async function startHost(options: HostOptions): Promise<Host> {
  const startedMs = performance.now();
  const progress = options.progress ?? (() => {});
  await refuseIfTaken(options.port);
  const folder = openDataFolder(options.dataDir);
  const undo: Undo = [() => folder.release()];
  // The engine does not make tables in one piece: those of a start that fails half-way answer nothing ever after.
  let halfMade = !existsSync(folder.database);
  undo.push(() => {
    if (halfMade) folder.dropDatabase();
  });
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const engine = await startEngine(options.dataDir === undefined ? undefined : folder.database);
    undo.push(() => engine.stop());
    folder.noteEngine(engine.pid);
    progress('templates and bundles');
    const issuer = await openIssuer(folder.issuerKey);
    const assemblyDir = options.assemblyDir ?? (await synthesise());
    undo.push(useAssembly(assemblyDir));
    const template = readTemplate(assemblyDir, {
      [KEYS_PARAMETER]: issuer.keys,
      ...readBreakGlass(folder.breakGlass),
    });
    progress('tables');
    await ensureTables(engine.url, template.tables);
    halfMade = false;
    progress('functions, state machine and API');
    const parts = await compose(options, folder, engine, template, undo);
    return {
      ...parts,
      dataDir: folder.path,
      guards: options.guards ?? true,
      startedInMs: performance.now() - startedMs,
      engine: { url: engine.url, pid: engine.pid },
      template,
      mint: issuer.minter(...trusted(template)),
      died: engine.died,
      stop,
    };
  } catch (error) {
    await stop();
    throw inWords(error);
  }
}

async function compose(
  options: HostOptions,
  folder: DataFolder,
  engine: Engine,
  template: LocalTemplate,
  undo: Undo,
): Promise<
  Pick<Host, 'url' | 'counters' | 'permissionsUsed' | 'transactions' | 'executions' | 'invoke' | 'onMetric'>
> {
  const { logLevel, guards = true } = options;
  const sink = new LogSink(logLevel === 'silent' ? undefined : folder.logs);
  undo.push(() => sink.close());
  const callers = accessKeys(template.functions);
  const dynamodb = guards
    ? await startDynamodbEndpoint({ engineUrl: engine.url, tables: template.tables, callers })
    : undefined;
  undo.push(() => dynamodb?.stop());
  const executions = new Executions(
    template.machines,
    (arn, payload) => functions.invoke(arn, payload),
    ({ name, error, cause }) => sink.note('state-machine', `execution ${name} failed`, { error, cause }),
  );
  const stepFunctions = await startStepFunctionsEndpoint({
    callers,
    machines: template.machines,
    executions,
    guards,
  });
  undo.push(() => stepFunctions.stop());
  const s3 = await startS3Endpoint({ buckets: template.buckets, callers, folder: folder.objects, guards });
  undo.push(() => s3.stop());
  const kms = await startKmsEndpoint({
    ...{ callers, guards, arns: template.signingKeys, keys: new SigningKeys(folder.sealKeys) },
  });
  undo.push(() => kms.stop());
  const functions = new Functions(
    {
      functions: template.functions,
      endpoints: {
        dynamodb: dynamodb?.url ?? engine.url,
        stepFunctions: stepFunctions.url,
        s3: s3.url,
        kms: kms.url,
      },
      sink,
      environment: {
        ...(logLevel === undefined ? {} : { POWERTOOLS_LOG_LEVEL: logLevel.toUpperCase() }),
        ...(options.detectorStarts === undefined ? {} : { DETECTOR_STARTS: String(options.detectorStarts) }),
        ...options.environment,
      },
    },
    callers,
  );
  undo.push(() => functions.drain(DRAIN_MS));
  undo.push(() => executions.stopAll());
  const gateway = await startApiGateway({
    ...{ port: options.port, routes: template.routes, cors: template.cors, functions },
    record: (refused) => sink.line('access', JSON.stringify(refused)),
  });
  undo.push(() => gateway.stop());
  if (options.schedules ?? true) {
    undo.push(startSchedules(template.schedules, functions));
    undo.push(startAlarms(template.alarms, sink, functions));
  }
  // Executions live in this process only, unlike Step Functions': those of the run before are gone.
  if (options.dataDir !== undefined) void functions.invoke('sweep', { orphaned: true });
  return {
    url: gateway.url,
    counters: () => dynamodb?.counters() ?? {},
    permissionsUsed: () => [
      ...(dynamodb?.permissionsUsed() ?? []),
      ...stepFunctions.permissionsUsed(),
      ...s3.permissionsUsed(),
      ...kms.permissionsUsed(),
    ],
    transactions: () => dynamodb?.transactions() ?? [],
    executions: () => executions.list(),
    invoke: (name, event) => functions.invoke(name, event),
    onMetric: (listener) => sink.onMetric(listener),
  };
}

/** Those of the data folder instead of the stage's. */
function readBreakGlass(file: string): Record<string, string> {
  if (!existsSync(file)) return {};
  try {
    const keys = z.array(BreakGlassKey).parse(JSON.parse(readFileSync(file, 'utf8')));
    return { [BREAK_GLASS_PARAMETER]: JSON.stringify(keys) };
  } catch {
    throw new HostError(`${file} must be a list of break-glass keys: see docs/security.md.`);
  }
}

/** Issuer and audience that the template's authoriser trusts. */
function trusted(template: LocalTemplate): [string, string] {
  for (const { environment } of template.functions) {
    const { ISSUER, AUDIENCE } = environment;
    if (ISSUER !== undefined && AUDIENCE !== undefined) return [ISSUER, AUDIENCE];
  }
  throw new HostError('No function of the template names the ISSUER and AUDIENCE it trusts.');
}
