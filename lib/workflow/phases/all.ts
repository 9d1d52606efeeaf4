import { awaitAnswer } from './await-answer.ts';
import { close } from './close.ts';
import { compensate } from './compensate.ts';
import type { PhaseRunner } from './context.ts';
import { decide } from './decide.ts';
import { detect } from './detect.ts';
import { failover } from './failover.ts';
import { initiate } from './initiate.ts';
import { park } from './park.ts';
import { reassign } from './reassign.ts';
import { recoverData } from './recover-data.ts';
import { restorePerformance } from './restore-performance.ts';
import { restoreSystem } from './restore-system.ts';
import { resumeService } from './resume-service.ts';
import { validateCompletely } from './validate-completely.ts';
import { verify } from './verify.ts';

/** Every state of the machine by its name. */
export const PHASE_RUNNERS: Readonly<Record<string, PhaseRunner>> = {
  Detect: detect,
  Decide: decide,
  AwaitApproval: awaitAnswer('AwaitApproval'),
  Initiate: initiate,
  AwaitFence: awaitAnswer('AwaitFence'),
  Failover: failover,
  Reassign: reassign,
  Verify: verify,
  RestoreSystem: restoreSystem,
  AwaitRestore: awaitAnswer('RestoreSystem'),
  RecoverData: recoverData,
  ResumeService: resumeService,
  AwaitRunning: awaitAnswer('ResumeService'),
  RestorePerformance: restorePerformance,
  ValidateCompletely: validateCompletely,
  Close: close,
  Compensate: compensate,
  Park: park,
};
