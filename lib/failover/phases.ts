import type { Phase, PhaseResult } from '../schemas/recovery.ts';

/** The controller's own work per phase, ms: the specification's recovery procedures. Phases that only wait have none. */
export const PHASE_BUDGET_MS: Readonly<Partial<Record<Phase, number>>> = {
  Detect: 1,
  Initiate: 2,
  Failover: 5,
  Reassign: 10,
  Verify: 3,
  RestoreSystem: 50,
  RecoverData: 100,
  ResumeService: 200,
  RestorePerformance: 300,
  ValidateCompletely: 100,
};

/**
 * What the record keeps of a phase: `ms` of own work, rounded to µs, beside its budget; `waitedMs` for an agent or a
 * person is apart.
 */
export const phaseResult = (
  name: Phase,
  attempt: number,
  time: {
    readonly startedAt: number;
    readonly endedAt: number;
    readonly ms: number;
    readonly waitedMs?: number;
  },
  detail: Readonly<Record<string, unknown>> = {},
): PhaseResult => {
  const budgetMs = PHASE_BUDGET_MS[name];
  return {
    name,
    attempt,
    startedAt: time.startedAt,
    endedAt: time.endedAt,
    ms: Math.round(time.ms * 1000) / 1000,
    waitedMs: time.waitedMs ?? 0,
    ...(budgetMs === undefined ? {} : { budgetMs }),
    within: budgetMs === undefined || time.ms < budgetMs,
    detail: { ...detail },
  };
};
