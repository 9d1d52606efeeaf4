import { type App, ArnFormat, CfnParameter, Stack, type StackProps } from 'aws-cdk-lib';
import { Architecture, Code, LayerVersion, Runtime } from 'aws-cdk-lib/aws-lambda';
import type { ApiFunction, Route } from '../lib/http/routes.ts';
import { API_FUNCTIONS } from '../lib/http/routes.ts';
import type { Bundles } from './bundle.ts';
import type { StageConfig } from './config.ts';
import { Alarms } from './constructs/alarms.ts';
import { ControlApi } from './constructs/control-api.ts';
import { ControlFunction } from './constructs/control-function.ts';
import { FailureAlarms } from './constructs/failure-alarms.ts';
import { RecoveryMachine } from './constructs/recovery-machine.ts';
import { SweepSchedule } from './constructs/sweep-schedule.ts';
import { type FunctionName, PERMISSIONS } from './permissions.ts';
import type { StateStack } from './state-stack.ts';

/** Seconds. `assignments` long-polls, up to what API Gateway lets an integration take. */
const TIMEOUTS_S: Partial<Record<FunctionName, number>> = { assignments: 29, recovery: 30, sweep: 30 };
const TIMEOUT_S = 10;
/** MiB. Lambda gives CPU by memory: recovery plans over the whole fleet. */
const MEMORY_MIB: Partial<Record<FunctionName, number>> = { recovery: 1024 };
const MEMORY_DEFAULT_MIB = 512;

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
    const authorise = this.#function('authorise', {
      ISSUER: config.issuer,
      AUDIENCE: config.audience,
      JWKS: keys.valueAsString,
    });
    const handlers = Object.fromEntries(
      API_FUNCTIONS.map((name) => [name, this.#function(name).lambda] as const),
    ) as Record<ApiFunction, ControlFunction['lambda']>;
    const recovery = this.#function('recovery').lambda;
    const sweep = this.#function('sweep').lambda;
    const { machine } = new RecoveryMachine(this, 'Recovery', {
      config,
      stateMachineName: this.#stateMachineName,
      handler: recovery,
    });
    const trigger = this.#function('recovery-trigger', {
      ALARM_ACCOUNTS: config.recoveryAlarms.accounts.join(','),
      ALARM_BINDINGS: JSON.stringify(config.recoveryAlarms.bindings),
    }).lambda;
    new FailureAlarms(this, 'Failures', { config, trigger });
    new SweepSchedule(this, 'Sweep', sweep);
    new ControlApi(this, 'Http', { config, routes: props.routes, handlers, authoriser: authorise.lambda });
    new Alarms(this, 'Alarms', {
      config,
      functions: { ...handlers, authorise: authorise.lambda, recovery, sweep, 'recovery-trigger': trigger },
      sweep,
      machine,
    });
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
        ...environment,
      },
      ...(name === 'recovery' && !config.disposable
        ? { reservedConcurrency: config.recoveryConcurrency }
        : {}),
    });
  }
}
