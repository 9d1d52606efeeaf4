import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { AuditEvent } from '../schemas/audit.ts';

/** `prev` of an entity's first event. */
export const GENESIS = '0'.repeat(64);

/** Position and hash of an entity's last event. */
export interface ChainHead {
  readonly rev: number;
  readonly head: string;
}
export const EMPTY_CHAIN: ChainHead = { rev: 0, head: GENESIS };

/** Who did it, in which request, when (epoch ms). */
export interface Origin {
  readonly actor: string;
  readonly request: string;
  readonly at: number;
}

/** SHA-256 over the RFC 8785 form of everything but the hash itself, hex. */
export const hashEvent = (event: Omit<AuditEvent, 'hash'>): string => {
  const { entity, rev, type, at, actor, request, body, prev } = event;
  const text = canonicalize({ entity, rev, type, at, actor, request, body, prev });
  return createHash('sha256')
    .update(text ?? '')
    .digest('hex');
};

/** The next event of an entity's chain. */
export const nextEvent = (
  entity: string,
  chain: ChainHead,
  origin: Origin,
  type: string,
  body: Readonly<Record<string, unknown>>,
): AuditEvent => {
  const draft = { entity, rev: chain.rev + 1, type, ...origin, body: { ...body }, prev: chain.head };
  return { ...draft, hash: hashEvent(draft) };
};

export const headOf = (event: AuditEvent): ChainHead => ({ rev: event.rev, head: event.hash });

export const entityOf = {
  labscape: (id: string): string => `labscape#${id}`,
  resource: (id: string): string => `resource#${id}`,
  tenant: (id: string): string => `tenant#${id}`,
  principal: (id: string): string => `principal#${id}`,
  recovery: (id: string): string => `recovery#${id}`,
  plan: (id: string): string => `plan#${id}`,
  backup: (id: string): string => `backup#${id}`,
  restore: (id: string): string => `restore#${id}`,
  override: (labscape: string, id: string): string => `override#${labscape}#${id}`,
  allocation: (tenant: string, key: string): string => `allocation#${tenant}#${key}`,
};
