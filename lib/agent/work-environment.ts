import type { ProcessRunnerConfig } from './config.ts';
import { hookEnvironment } from './hook.ts';
import type { Work } from './work.ts';

/** Where the work runs, and as what. */
export interface WorkHost {
  readonly resource: string;
  readonly config: ProcessRunnerConfig;
  /** The agent's own environment, of which a few harmless names are passed on. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * What the hooks that speak of a piece of work find in their environment: nothing that a tenant set, since an operator's
 * hook must not be bent by it. What a tenant wants to tell a hook stands in LABSCAPE_SPEC.
 */
export const workHookEnvironment = (work: Work, host: WorkHost): Record<string, string> =>
  environmentOf(work, host, {});

/** What the work itself finds in its environment: a tenant's variables too, where it is the tenant's own command. */
export const workEnvironment = (work: Work, host: WorkHost): Record<string, string> =>
  environmentOf(work, host, host.config.start === undefined ? (work.spec?.env ?? {}) : {});

const environmentOf = (
  work: Work,
  { config, environment, resource }: WorkHost,
  tenants: Readonly<Record<string, string>>,
): Record<string, string> => {
  const { spec, tenant, allocation, group, groupEpoch, devices, data } = work;
  return hookEnvironment(environment, tenants, config.env, {
    LABSCAPE_TENANT: tenant,
    LABSCAPE_ALLOCATION: allocation,
    LABSCAPE_GROUP: group,
    LABSCAPE_EPOCH: String(groupEpoch),
    LABSCAPE_RESOURCE: resource,
    LABSCAPE_SPEC: JSON.stringify(spec ?? {}),
    ...(data !== undefined && { LABSCAPE_COPIES: JSON.stringify(data) }),
    ...(devices !== undefined && {
      LABSCAPE_DEVICES: devices.indexes.join(','),
      LABSCAPE_DEVICE_MILLI: String(devices.milli),
    }),
    ...(config.leaseFile !== undefined && { LABSCAPE_LEASE_FILE: config.leaseFile }),
  });
};
