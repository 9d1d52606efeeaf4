import type { AuditEvent } from '../../schemas/audit.ts';
import { type ChainFault, verifyChain } from '../chain.ts';
import type { ChainHead } from '../event.ts';
import type { Finding } from './finding.ts';

const WHY: Readonly<Record<ChainFault, string>> = {
  edited: 'its hash is not that of its content, or not what its neighbour or its entity names',
  missing: 'the chain goes on behind it',
  reordered: 'it stands where another one belongs',
  truncated: 'its entity remembers it as its last one',
  foreign: 'its entity does not know it',
};

/** Every chain against the head that its entity remembers; entities that have a head and no events, too. */
export function chainFindings(
  chains: ReadonlyMap<string, readonly AuditEvent[]>,
  heads: ReadonlyMap<string, ChainHead>,
): Finding[] {
  const findings: Finding[] = [];
  const check = (entity: string, chain: readonly AuditEvent[]): void => {
    for (const { rev, fault } of verifyChain(entity, chain, heads.get(entity)))
      findings.push({ check: 'chains', item: `${entity}/${rev}`, fault, why: WHY[fault] });
  };
  for (const [entity, chain] of chains) check(entity, chain);
  for (const entity of heads.keys()) if (!chains.has(entity)) check(entity, []);
  return findings;
}
