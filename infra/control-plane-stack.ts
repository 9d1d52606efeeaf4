import { type App, ArnFormat, CfnParameter, Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Architecture, Code, type IFunction, LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { Route } from '../lib/http/routes.ts';
import { API_FUNCTIONS } from '../lib/http/routes.ts';
import type { Bundles } from './bundle.ts';
import type { StageConfig } from './config.ts';
import { Alarms } from './constructs/alarms.ts';
import { ControlApi } from './constructs/control-api.ts';
import { ControlFunction } from './constructs/control-function.ts';
import { ControlDashboard } from './constructs/dashboard.ts';
import { FailedEvents } from './constructs/failed-events.ts';
import { FailureAlarms } from './constructs/failure-alarms.ts';
import { FunctionSchedule } from './constructs/function-schedule.ts';
import { RecoveryMachine } from './constructs/recovery-machine.ts';
import { Rollout } from './constructs/rollout.ts';
import { POOL_CLAIMS } from './constructs/user-pool.ts';
import { type FunctionName, PERMISSIONS } from './permissions.ts';
import type { StateStack } from './state-stack.ts';

/**
 * Seconds. `assignments` long-polls, and `recoveries` may declare many resources failed, up to what API Gateway lets an
 * integration take; an authoriser may take 10, and
 * ends before that, so that its own error is the one that is seen.
 */
const TIMEOUTS_S: Partial<Record<FunctionName, number>> = {
  authorise: 8,
  'authorise-signed': 8,
  assignments: 29,
  // Lambda's own limit: it reads everything.
  backup: 900,
  recovery: 30,
  recoveries: 29,
  sweep: 30,
  sealer: 120,
};
const TIMEOUT_S = 10;
/** MiB. Lambda gives CPU by memory: recovery plans over the whole fleet, and a backup holds all of it. */
const MEMORY_MIB: Partial<Record<FunctionName, number>> = { recovery: 1024, sealer: 1024, backup: 3008 };
const MEMORY_DEFAULT_MIB = 512;
const SWEEP_EVERY_MINUTES = 1;
/** It looks so often what is due: how often a backup is due, the stage says. */
const BACKUP_LOOK_EVERY_MINUTES = 1;
/** As often as windows end. */
const SEAL_EVERY_MINUTES = 5;

export interface ControlPlaneStackProps extends StackProps {
  readonly config: StageConfig;
  readonly stores: StateStack;
  readonly bundles: Bundles;
  readonly routes: readonly Route[];
}

/** Everything that can be thrown away and deployed again: functions, API, state machine, schedule. */
export class ControlPlaneStack extends Stack {
  readonly #props: ControlPlaneStackProps;
  readonly #layer: LayerVersion;
  readonly #stateMachineName: string;

  constructor(scope: App, id: string, props: ControlPlaneStackProps) {
    super(scope, id, props);
    this.#props = props;
    const { config, bundles } = props;
    // A fixed name: the functions that start the machine and the machine that calls functions need each other's ARN.
    this.#stateMachineName = `labscape-${config.stage}-recovery`;
    this.#layer = new LayerVersion(this, 'PolicyLayer', {
      description: 'Cedar policy engine',
      code: Code.fromAsset(bundles.layer),
      compatibleRuntimes: [Runtime.NODEJS_24_X],
      compatibleArchitectures: [Architecture.ARM_64],
    });
    const keys = new CfnParameter(this, 'IssuerKeys', {
      description: "The issuer's JSON Web Key Set inline; empty fetches it from the issuer",
      default: '',
    });
    const breakGlass = new CfnParameter(this, 'BreakGlassKeys', {
      description: 'Public keys that work without any provider, as JSON; see docs/security.md',
      default: JSON.stringify(config.breakGlass),
    });
    const functions = this.#functions(keys.valueAsString, breakGlass.valueAsString);
    const live = (name: FunctionName) => functions[name].live as IFunction;
    const { machine } = new RecoveryMachine(this, 'Recovery', {
      config,
      stateMachineName: this.#stateMachineName,
      handler: live('recovery'),
    });
    const failed = new FailedEvents(this, 'FailedEvents', config);
    // The next sweep does the work of one that failed; an alarm is told once, so it is worth trying longer.
    failed.collect(live('sweep'), 0, Duration.minutes(1));
    failed.collect(live('backup'), 0, Duration.minutes(1));
    failed.collect(live('recovery-trigger'), 2, Duration.hours(1));
    new FailureAlarms(this, 'Failures', {
      config,
      trigger: live('recovery-trigger'),
      failures: failed.queue,
    });
    failed.collect(live('sealer'), 0, Duration.minutes(SEAL_EVERY_MINUTES));
    new FunctionSchedule(this, 'Sweep', {
      description: 'backstop of the detector, leases, pending work, recoveries without an owner',
      ...{ everyMinutes: SWEEP_EVERY_MINUTES, live: live('sweep'), failures: failed.queue },
    });
    new FunctionSchedule(this, 'Sealer', {
      description: 'seals of the audit',
      ...{ everyMinutes: SEAL_EVERY_MINUTES, live: live('sealer'), failures: failed.queue },
    });
    new FunctionSchedule(this, 'Backup', {
      description: 'backups and restore drills that are due or were asked for',
      ...{ everyMinutes: BACKUP_LOOK_EVERY_MINUTES, live: live('backup'), failures: failed.queue },
    });
    const http = new ControlApi(this, 'Http', {
      config,
      routes: props.routes,
      handlers: Object.fromEntries(API_FUNCTIONS.map((name) => [name, live(name)])),
      authoriser: live('authorise'),
      signedAuthoriser: live('authorise-signed'),
    });
    new Alarms(this, 'Alarms', {
      config,
      functions: Object.fromEntries(Object.entries(functions).map(([name, { lambda }]) => [name, lambda])),
      sweep: functions.sweep.lambda,
      machine,
      failures: failed.queue,
    });
    const tables = [props.stores.state, props.stores.audit];
    new ControlDashboard(this, 'Dashboard', { config, machine, tables, failures: failed.queue });
    const behindApi = new Set<string>([...API_FUNCTIONS, 'authorise', 'authorise-signed']);
    // What may lose its data may lose a deployment, too; and emulators know no CodeDeploy.
    if (!config.disposable)
      new Rollout(this, 'Rollout', { config, functions, behindApi, apiId: http.api.apiId });
  }

  #functions(issuerKeys: string, breakGlass: string): Record<FunctionName, ControlFunction> {
    const { config } = this.#props;
    const environments: Partial<Record<FunctionName, Record<string, string>>> = {
      authorise: { ...this.#issuer(), JWKS: issuerKeys },
      'authorise-signed': { BREAK_GLASS: breakGlass },
      backup: { BACKUP_POLICY: JSON.stringify(config.backups) },
      sweep: { THREAT_MODE: config.threat.mode },
      'recovery-trigger': {
        ALARM_ACCOUNTS: config.recoveryAlarms.accounts.join(','),
        ALARM_BINDINGS: JSON.stringify(config.recoveryAlarms.bindings),
      },
    };
    const names: FunctionName[] = [
      ...(['authorise', 'authorise-signed'] as const),
      ...API_FUNCTIONS,
      ...(['recovery', 'sweep', 'backup', 'recovery-trigger', 'sealer'] as const),
    ];
    return Object.fromEntries(
      names.map((name) => [name, this.#function(name, environments[name])]),
    ) as Record<FunctionName, ControlFunction>;
  }

  /** Whose tokens are taken, and how they are read. */
  #issuer(): Record<string, string> {
    const { config } = this.#props;
    const { people } = this.#props.stores;
    const { issuer = '', audience = '' } = people ?? config;
    const claims = people === undefined ? config.claims : POOL_CLAIMS;
    return { ISSUER: issuer, AUDIENCE: audience, CLAIMS: JSON.stringify(claims) };
  }

  #function(name: FunctionName, environment: Record<string, string> = {}): ControlFunction {
    const { config, bundles, stores } = this.#props;
    const bundle = bundles.functions[name];
    if (bundle === undefined) throw new Error(`functions/${name}/handler.ts is missing`);
    return new ControlFunction(this, `${name[0]?.toUpperCase()}${name.slice(1)}Function`, {
      name,
      config,
      bundle,
      stores,
      layer: this.#layer,
      permissions: PERMISSIONS[name],
      timeoutS: TIMEOUTS_S[name] ?? TIMEOUT_S,
      memoryMiB: MEMORY_MIB[name] ?? MEMORY_DEFAULT_MIB,
      stateMachineArn: this.formatArn({
        service: 'states',
        resource: 'stateMachine',
        resourceName: this.#stateMachineName,
        arnFormat: ArnFormat.COLON_RESOURCE_NAME,
      }),
      environment: {
        ...(PERMISSIONS[name].startsRecoveries ? { DETECTOR_STARTS: String(config.detectorStarts) } : {}),
        ...(name === 'heartbeats' ? { PACKED_BEATS: String(config.packedBeats) } : {}),
        ...environment,
      },
      ...(name === 'recovery' && !config.disposable
        ? { reservedConcurrency: config.recoveryConcurrency }
        : {}),
    });
  }
}
