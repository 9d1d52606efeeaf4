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

/** An entity's chain, in order, against the head that the entity remembers; of one without events an empty chain. */
export const chainFindings = (
  entity: string,
  chain: readonly AuditEvent[],
  head: ChainHead | undefined,
): Finding[] =>
  verifyChain(entity, chain, head).map(({ rev, fault }) => ({
    ...{ check: 'chains', item: `${entity}/${rev}`, fault, why: WHY[fault] },
  }));
