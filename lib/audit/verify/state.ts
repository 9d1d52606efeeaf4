import type { Vector } from '../../schemas/common.ts';
import { equals } from '../../vector.ts';
import type { FoldedState } from '../fold-state.ts';
import { reconcileState, type SeenState } from '../reconcile-state.ts';
import type { Finding } from './finding.ts';

/** A group as the table has it. */
interface SeenGroup {
  readonly id: string;
  readonly status: string;
  readonly epoch: number;
  readonly resource: string | undefined;
  readonly count: number;
  readonly demand: Vector;
}

const found = (item: string, fault: string, why: string): Finding => ({ check: 'state', item, fault, why });

/** `item: what is wrong` of the fold's and the comparison's sentences. */
const fromSentence = (sentence: string, fault: string): Finding => {
  const at = sentence.indexOf(': ');
  return found(sentence.slice(0, at), fault, sentence.slice(at + 2));
};

/** Compares the state that the events rebuild with the one there is. */
export function stateFindings(folded: FoldedState, seen: SeenState, groups: readonly SeenGroup[]): Finding[] {
  return [
    ...folded.faults.map((sentence) => fromSentence(sentence, 'does-not-fold')),
    ...reconcileState(folded, seen).map((sentence) => fromSentence(sentence, 'changed')),
    ...groups.flatMap((group) => groupFindings(group, folded)),
  ];
}

function groupFindings(seen: SeenGroup, { groups }: FoldedState): Finding[] {
  if (seen.status === 'closed') return [];
  const item = `group ${seen.id}`;
  const rebuilt = groups.get(seen.id);
  if (rebuilt === undefined) return [found(item, 'changed', 'no event speaks of it')];
  const findings: Finding[] = [];
  for (const field of ['status', 'epoch', 'resource', 'count'] as const)
    if (seen[field] !== rebuilt[field])
      findings.push(
        found(
          item,
          'changed',
          `${field} is ${seen[field] ?? 'absent'}, ${rebuilt[field] ?? 'absent'} by events`,
        ),
      );
  if (!equals(seen.demand, rebuilt.demand))
    findings.push(found(item, 'changed', 'demand is not its members'));
  return findings;
}
