import type * as z from 'zod';
import { groupByEntity, verifyChain } from '../audit/chain.ts';
import type { AuditEvent, VerifyAnswer } from '../schemas/audit.ts';

type Event = z.output<typeof AuditEvent>;

export interface CheckedChain {
  readonly entity: string;
  readonly events: number;
  readonly faults: z.output<typeof VerifyAnswer>['faults'];
}

/** Checks a chain on this machine: nothing the control plane says of itself is taken over. */
export function checkChain(entity: string, chain: readonly Event[]): CheckedChain {
  return { entity, events: chain.length, faults: [...verifyChain(entity, chain)] };
}

/** Every chain among the events. */
export function checkChains(events: readonly Event[]): CheckedChain[] {
  return [...groupByEntity(events)].map(([entity, chain]) => checkChain(entity, chain));
}
