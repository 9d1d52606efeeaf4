import type { Paint } from '../../../lib/cli/paint.ts';
import { renderPhases } from '../../../lib/cli/timeline.ts';
import type { DrillRun, FailedLine, Quoted, RebalanceLine } from './drill-run.ts';

/** Faults shown; the rest are counted: a broken counter is broken two thousand times. */
const FAULTS_SHOWN = 20;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

/** 0 is what was never seen: nothing is at the very instant of the fault. */
const afterFault = (ms: number, more: string): string =>
  ms === 0 ? 'never seen, not of all' : `${seconds(ms)} after the fault${more}`;

/** The whole drill for people. Ends with a line break. */
export function render(run: DrillRun, paint: Paint): string {
  const { setup, victim, targets } = run;
  const good = (held: boolean, text: string) => paint(held ? 'green' : 'red', text);
  if (run.quoted !== undefined) return renderQuoted(run, run.quoted, paint);
  if (run.failed !== undefined) return renderFailed(run, run.failed, paint);
  const lines = [
    '',
    `${paint('bold', 'Failover drill')}  ${run.allocations} allocations made in ${seconds(setup.allocateMs)} (p50 ${setup.p50Ms.toFixed(1)} ms, p99 ${setup.p99Ms.toFixed(1)} ms)`,
    ...(run.api === undefined ? [] : [`control plane: ${run.api}`]),
    `${run.api === undefined ? 'killed' : 'cut off'}: ${paint('bold', victim)} with ${run.victimAllocations} allocations in ${run.victimGroups} groups, found by ${run.trigger}${run.strategy === undefined ? '' : `; placed by ${run.strategy}`}`,
    '',
    renderPhases(run.phases, paint),
    '',
    `moved       ${run.moved} allocations to ${targets.join(', ')}${flips(run)}`,
    `verdict     ${afterFault(run.faultToVerdictMs, '')}`,
    `running     ${afterFault(run.faultToRunningMs, ', the last of them')}`,
    `recovered   ${afterFault(run.totalMs, `, ${victim} restored`)}`,
    ...(run.rebalance === undefined ? [] : [balanced(run.rebalance)]),
    `ledger      ${good(run.lost === 0, `${run.lost} lost`)}, ${good(run.pending === 0, `${run.pending} pending`)}`,
    `audit       ${run.events} events, ${run.auditVerified ? paint('green', 'verified, and they rebuild the state') : paint('red', 'NOT verified')}`,
    `invariants  ${run.invariants === 'held' ? paint('green', 'held') : paint('red', 'BROKEN')}, ${run.counterLines} counter lines read`,
    '',
    ...(run.left === undefined ? [] : ['left behind:', ...run.left.map((what) => `  ${what}`), '']),
    run.faults.length === 0 ? paint('green', 'The drill has passed.') : faults(run.faults, paint),
    '',
  ];
  return lines.join('\n');
}

const balanced = ({ planned, moved, before, after, longestStopMs, holdMs }: RebalanceLine): string => {
  const shares = ({ max, mean }: RebalanceLine['before']) => `${max.toFixed(3)} / ${mean.toFixed(3)}`;
  return `balanced    ${moved} of ${planned} planned moves, max / mean share ${shares(before)}, then ${shares(after)}; longest stop ${seconds(longestStopMs)}, hold ${seconds(holdMs)}`;
};

/** Several at once, or one that still ran. */
function renderFailed(run: DrillRun, failed: FailedLine, paint: Paint): string {
  const { fail, graceful, victims, recoveries, movedGracefully, waited, allRunningMs } = failed;
  const good = (held: boolean, text: string) => paint(held ? 'green' : 'red', text);
  const early = graceful ? `, ${movedGracefully} groups while they still ran` : '';
  return [
    '',
    `${paint('bold', 'Failover drill')}  of ${fail}${graceful ? ', gracefully' : ''}: ${victims.join(', ')}`,
    `held        ${run.victimAllocations} of ${run.allocations} allocations in ${run.victimGroups} groups`,
    '',
    renderPhases(run.phases, paint),
    '',
    `moved       ${run.moved} allocations to ${run.targets.length} resources by ${recoveries} recoveries${early}`,
    `waited      ${waited} allocations, until there was room again`,
    `running     ${seconds(run.faultToRunningMs)} after the fault, the last of those that were moved; all ${seconds(allRunningMs)}`,
    `recovered   ${seconds(run.totalMs)} after the fault, the last of them`,
    `ledger      ${good(run.lost === 0, `${run.lost} lost`)}, ${good(run.pending === 0, `${run.pending} pending`)}`,
    `audit       ${run.events} events, ${run.auditVerified ? paint('green', 'verified, and they rebuild the state') : paint('red', 'NOT verified')}`,
    `invariants  ${run.invariants === 'held' ? paint('green', 'held') : paint('red', 'BROKEN')}, ${run.counterLines} counter lines read`,
    '',
    run.faults.length === 0 ? paint('green', 'The drill has passed.') : faults(run.faults, paint),
    '',
  ].join('\n');
}

/** What would have happened, and that nothing has. */
function renderQuoted(run: DrillRun, quoted: Quoted, paint: Paint): string {
  const share = Math.round(quoted.rehomedShare * 1_000) / 10;
  return [
    '',
    `${paint('bold', 'Failover drill without effect')}  of ${quoted.fail}: ${quoted.victims.join(', ')}`,
    `would move  ${quoted.allocations} allocations in ${quoted.groups} groups to ${quoted.targets} resources, ${share} % of the demand`,
    `would wait  ${quoted.pending} groups`,
    `ledger      ${run.allocations} allocations, ${run.lost} lost, ${run.pending} pending`,
    `audit       ${run.events} events, ${run.auditVerified ? paint('green', 'verified, and they rebuild the state') : paint('red', 'NOT verified')}`,
    '',
    run.faults.length === 0 ? paint('green', 'Nothing has changed.') : faults(run.faults, paint),
    '',
  ].join('\n');
}

const flips = ({ failoverTransactions, writes }: DrillRun): string =>
  failoverTransactions === undefined ? '' : `: ${failoverTransactions} transaction, ${writes} items`;

function faults(all: readonly string[], paint: Paint): string {
  const shown = all.slice(0, FAULTS_SHOWN).map((fault) => `  ${fault}`);
  const rest = all.length - shown.length;
  if (rest > 0) shown.push(`  and ${rest} more`);
  return [paint('red', 'The drill has FAILED:'), ...shown].join('\n');
}
