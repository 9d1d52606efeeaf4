/**
 * Dollars, US East (N. Virginia), first tier, free tiers left out. From the public price pages named beside each, as
 * they stood at `asOf`; nothing looks them up.
 */
export const PRICES = {
  asOf: '2025-12',
  region: 'us-east-1',
  // aws.amazon.com/dynamodb/pricing/on-demand (lower since 2024-11-01)
  writeUnit: 0.625e-6,
  readUnit: 0.125e-6,
  // aws.amazon.com/lambda/pricing, arm64
  invocation: 0.2e-6,
  gigabyteSecond: 1.33334e-5,
  // aws.amazon.com/api-gateway/pricing, HTTP APIs, up to 512 KB each
  apiRequest: 1e-6,
  // aws.amazon.com/step-functions/pricing, Standard workflows
  transition: 25e-6,
  // aws.amazon.com/cloudwatch/pricing
  metricMonth: 0.3,
  alarmMonth: 0.1,
  highResolutionAlarmMonth: 0.3,
  logGigabyte: 0.5,
  // aws.amazon.com/ec2/pricing/on-demand, data transfer out to the internet
  outGigabyte: 0.09,
  // aws.amazon.com/kms/pricing
  keyMonth: 1,
} as const;

/** What requests used. `gigabyteSeconds` are Lambda's, bytes are bytes. */
export interface Usage {
  readonly writeUnits: number;
  readonly readUnits: number;
  readonly invocations: number;
  readonly gigabyteSeconds: number;
  readonly apiRequests: number;
  readonly transitions: number;
  readonly logBytes: number;
  readonly outBytes: number;
}

export const NOTHING: Usage = {
  ...{ writeUnits: 0, readUnits: 0, invocations: 0, gigabyteSeconds: 0 },
  ...{ apiRequests: 0, transitions: 0, logBytes: 0, outBytes: 0 },
};

export const added = (a: Usage, b: Usage, times = 1): Usage => ({
  writeUnits: a.writeUnits + times * b.writeUnits,
  readUnits: a.readUnits + times * b.readUnits,
  invocations: a.invocations + times * b.invocations,
  gigabyteSeconds: a.gigabyteSeconds + times * b.gigabyteSeconds,
  apiRequests: a.apiRequests + times * b.apiRequests,
  transitions: a.transitions + times * b.transitions,
  logBytes: a.logBytes + times * b.logBytes,
  outBytes: a.outBytes + times * b.outBytes,
});

const GIGABYTE = 1e9;

/** Dollars by what they are for. */
export const bill = (used: Usage): Readonly<Record<string, number>> => ({
  tableWrites: used.writeUnits * PRICES.writeUnit,
  tableReads: used.readUnits * PRICES.readUnit,
  lambda: used.invocations * PRICES.invocation + used.gigabyteSeconds * PRICES.gigabyteSecond,
  apiGateway: used.apiRequests * PRICES.apiRequest,
  stepFunctions: used.transitions * PRICES.transition,
  logs: (used.logBytes / GIGABYTE) * PRICES.logGigabyte,
  transferOut: (used.outBytes / GIGABYTE) * PRICES.outGigabyte,
});

export const sumOf = (dollars: Readonly<Record<string, number>>): number =>
  Object.values(dollars).reduce((sum, each) => sum + each, 0);
