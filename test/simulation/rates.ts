const YEAR_S = 365 * 86_400;
/** Hosts and labscapes of a simulated fleet, for rates that are the fleet's. */
const HOSTS = 6;
const LABSCAPES = 3;

/**
 * Probability per opportunity (named in each line) as real systems have it. Where a source gives none the line says
 * "assumed", and errs to the bad side. Availability is measured at these, at 10 and at 100 times these.
 */
export const STANDARD_RATES = {
  // Per store call. AWS Lambda's service level: 99.95 % of requests; ten store calls a request, half before, half after.
  crashBefore: 2.5e-5,
  crashAfter: 2.5e-5,
  // Per write. DynamoDB's service level in one Region, 99.99 %: an error may hide a write that was made.
  unknownOutcome: 1e-4,
  // Per store call. Assumed as often as errors: on-demand tables take twice their earlier peak without throttling.
  throttled: 1e-4,
  // Per write, beyond those that come from this fleet's own calls. Assumed.
  conflict: 1e-3,
  // Per second, one resource's item, for up to 2 s: somebody's transactions hold it nearly all the time. Assumed: weekly.
  hotItem: 52 / YEAR_S,
  // Per store call, 1.5 s. Assumed: a connection that has to be made anew, once in ten thousand.
  slowCall: 1e-4,
  // Per second, the store answers nobody for some seconds. DynamoDB's 99.99 % of a year as outages of 5 min would be 10.
  outage: 10 / YEAR_S,
  // Per invocation. AWS, Lambda operator guide: "typically under 1 % of invocations".
  coldStart: 1e-2,
  // Per invocation with several idle sandboxes. Assumed: AWS does not say which one it takes.
  staleInstance: 5e-2,
  // Per update, up to 5 s. Assumed: a request that its client gave up, and sent again, arrives after all.
  lateWrite: 1e-5,
  // Per StartExecution. Step Functions' service level, 99.9 %.
  startFails: 1e-3,
  // Per StartExecution that began one: its caller hears of an error instead. As startFails.
  startUnknown: 1e-3,
  // Per answer to a task that waits: an error, before the answer is taken or after. As startFails.
  answerFails: 1e-3,
  // Per execution that was begun: it ends within 2 s, before its first task. Assumed: stopped by hand, or by a limit.
  executionDies: 1e-4,
  // Per task. Assumed: Standard workflows promise exactly one run of a task, a client's retry may make two.
  duplicateTask: 1e-4,
  // Per task: two of it at the same time; what the first one answers counts. Assumed as duplicateTask.
  taskTwice: 1e-4,
  // Per execution that ended. Assumed: somebody tries one in a thousand again.
  redrive: 1e-3,
  // Per message and way. Pingmesh (SIGCOMM 2015) sees 10^-5 to 10^-4 of the packets lost inside data centres; the upper
  // end, for whole requests, and no TCP that would send them again.
  lostMessage: 1e-4,
  // Per message and way, 4 s. Assumed as often as lost.
  lateMessage: 1e-4,
  // Per request. Assumed: clients and proxies that try again though they were answered.
  doubledMessage: 1e-4,
  // Per second, one of the labscapes. Assumed: each site loses its line once a month.
  partition: (12 * LABSCAPES) / YEAR_S,
  // Per second, two of the labscapes do not reach each other, and both still reach the controller. As a lost line.
  labscapesApart: (12 * LABSCAPES) / YEAR_S,
  // Per host and second. J. Dean, Google I/O 2008: 1,000 machine failures, 20 racks (40 to 80 machines) and a PDU
  // (500 to 1,000) in the first year of 1,800 servers: 1.6 a machine and year; here 2, half of which come back.
  hostDies: 1 / YEAR_S,
  hostDiesAndReturns: 1 / YEAR_S,
  // Per flip. A host's two deaths a year in the 20 s of a recovery, ten times as likely where another one just died.
  targetDies: (2 * 20 * 10) / YEAR_S,
  // Per host and history: work that starts 3 s late. Assumed: an image that has to be fetched.
  agentLate: 1e-2,
  // Per host and history: an agent that takes work and never starts it. Assumed.
  agentNever: 1e-5,
  // Per host and second: the agent's process starts anew, and with it all work. Assumed: an update each month.
  agentTwice: 12 / YEAR_S,
  // Per new sandbox, up to 200 ms. Assumed: Amazon Time Sync keeps hosts within a millisecond.
  clockSkew: 1e-2,
  // Per second: the controller's clock is off by an hour. Assumed: once in ten years.
  clockJump: 0.1 / YEAR_S,
  // Per second. Assumed: each week.
  alarmStorm: 52 / YEAR_S,
  // Per second, one host of the fleet. Each host is drained monthly for patches.
  operatorDrains: (12 * HOSTS) / YEAR_S,
  // Per second, one host of the fleet. Assumed: each year somebody fails a host by hand.
  operatorFails: 1 / YEAR_S,
  // Per second, a whole labscape of the fleet. Assumed: each year somebody gives one up, with its hosts or without.
  operatorFailsLabscape: 1 / YEAR_S,
  // Per approval. Assumed.
  operatorRejects: 5e-2,
  // Per second, one labscape of the fleet. Assumed: maintenance is switched each week.
  operatorMaintains: 52 / YEAR_S,
  // Per second and resource out of service: people take ten minutes. A cure; it does not grow with the faults.
  operatorReturns: 1 / 600,
  // Per history, the first tenant. Assumed.
  fullQuota: 1e-2,
  // Per history: a fleet that has hardly room for what is asked. Assumed: it is somebody's job that this does not happen.
  tightCapacity: 1e-3,
  // Per write that moves or ends work, 1.5 s, besides slowCall: what was read for it is old by then. Assumed as slowCall.
  slowMove: 1e-4,
  // Per history and labscape: it lets nothing recover that nobody approved. Assumed.
  asksFirst: 1e-3,
  // Per task that looks at what moves, a client that gives back just that. Assumed.
  clientLeaves: 1e-3,
  // Per fence, an operator who drains, fails or activates what is being recovered. Assumed.
  operatorMeddles: 1e-3,
  // Per fence, an operator who calls the recovery off. Assumed.
  operatorCancels: 1e-3,
  // Per second, one host of the fleet. Assumed: each week somebody says that a recovery was looked at.
  operatorAcknowledges: 52 / YEAR_S,
  // Per recovery: what came back dies at once. Dean's figures as for targetDies.
  hostDiesAgain: (2 * 20 * 10) / YEAR_S,
  // Per second, one of the clients. Assumed: each client twice a year.
  operatorRevokes: 4 / YEAR_S,
  // Per second, and with every fence and flip besides. Assumed: somebody balances the fleet each day.
  operatorRebalances: 365 / YEAR_S,
  // Per recovery that ended, with every return, and per second. Assumed: somebody takes work home each week.
  operatorFailsBack: 52 / YEAR_S,
  // Per second, with every flip, placement and release besides. Assumed: somebody tidies the groups each day.
  operatorTidies: 365 / YEAR_S,
  // Per history: the hosts of one labscape are several times as large as the others. Assumed.
  unevenHosts: 0.1,
  // Per history that is sealed, behind the control plane's back. Assumed.
  tampering: 1e-3,
  // Per history: its agents sign their requests. No fault; a tenth of the fleets, assumed.
  agentsSign: 0.1,
  // Per agent that signs and second. Each month.
  keyRotates: 12 / YEAR_S,
  // Per change of keys: the old one is revoked before its agent has the new one. Assumed.
  keyRevoked: 1e-2,
  // Per history: it is longer, backups are taken, and something is restored from them. No fault; all fleets should.
  backsUp: 1,
  // Per chance of something to go wrong with the tables, three a history that backs up: both are lost. Assumed.
  allLost: 1e-6,
  // If not: an item is changed by hand, and put right while the control plane stands still. Assumed.
  itemsForged: 1e-5,
  // If not: a few items are lost, and restored while it runs. Assumed.
  itemsLost: 1e-5,
  // If not: an operator restores though nothing is lost. Assumed.
  operatorRestores: 1e-3,
  // If not that either: one record beside the work is lost, and restored while it runs. Assumed.
  recordsLost: 1e-5,
} as const;

export type FaultKind = keyof typeof STANDARD_RATES;
export type Rates = Readonly<Record<FaultKind, number>>;

/**
 * For finding bugs: no system is that bad. Each kind so often that 16 virtual seconds see some forty faults, and none
 * so often that nothing works any more.
 */
export const STRESS_RATES: Rates = {
  crashBefore: 0.002,
  crashAfter: 0.002,
  unknownOutcome: 0.004,
  throttled: 0.006,
  conflict: 0.006,
  hotItem: 0.03,
  slowCall: 0.02,
  outage: 0.01,
  coldStart: 0.05,
  staleInstance: 0.05,
  lateWrite: 0.03,
  startFails: 0.03,
  startUnknown: 0.05,
  answerFails: 0.15,
  executionDies: 0.1,
  duplicateTask: 0.03,
  taskTwice: 0.05,
  redrive: 0.08,
  lostMessage: 0.01,
  lateMessage: 0.02,
  doubledMessage: 0.02,
  partition: 0.004,
  labscapesApart: 0.03,
  hostDies: 0.004,
  hostDiesAndReturns: 0.006,
  targetDies: 0.05,
  agentLate: 0.15,
  agentNever: 0.02,
  agentTwice: 0.03,
  clockSkew: 0.1,
  clockJump: 0.01,
  alarmStorm: 0.02,
  operatorDrains: 0.02,
  operatorFails: 0.01,
  operatorFailsLabscape: 0.006,
  operatorRejects: 0.5,
  operatorMaintains: 0.01,
  operatorReturns: 0.15,
  fullQuota: 0.1,
  tightCapacity: 0.2,
  slowMove: 0.1,
  asksFirst: 0.1,
  clientLeaves: 0.3,
  operatorMeddles: 0.2,
  operatorCancels: 0.25,
  operatorAcknowledges: 0.05,
  hostDiesAgain: 0.4,
  operatorRevokes: 0.02,
  operatorRebalances: 0.15,
  operatorFailsBack: 0.15,
  operatorTidies: 0.15,
  unevenHosts: 0.3,
  tampering: 0.5,
  agentsSign: 0.15,
  keyRotates: 0.2,
  keyRevoked: 0.4,
  backsUp: 0.1,
  allLost: 0.25,
  itemsForged: 0.3,
  itemsLost: 0.4,
  operatorRestores: 0.5,
  recordsLost: 0.9,
};

/** What makes things better; the factor on the faults leaves it alone. */
export const CURES: ReadonlySet<FaultKind> = new Set(['operatorReturns']);
