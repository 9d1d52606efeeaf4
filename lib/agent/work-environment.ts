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

/** What a piece of work, and the hooks that speak of it, find in their environment. */
export function workEnvironment(work: Work, host: WorkHost): Record<string, string> {
  const { config, environment, resource } = host;
  const { spec, tenant, allocation, group, groupEpoch, devices, data } = work;
  // A tenant's variables reach only the tenant's own command: an operator's hook must not be bent by them.
  const tenants = config.start === undefined ? (spec?.env ?? {}) : {};
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
}
