import { cutQuota } from '../../allocation/quota.ts';
import { EMPTY_CHAIN, headOf } from '../../audit/event.ts';
import type { AuditEvent } from '../../schemas/audit.ts';
import { LabscapeInput, LabscapePatch, Version } from '../../schemas/labscape.ts';
import { TenantInput } from '../../schemas/tenant.ts';
import { encodePrincipal, type PrincipalRecord } from '../../store/access/principals.ts';
import { encodeSlice, encodeTenant } from '../../store/access/tenants.ts';
import type { LabscapeRecord } from '../../store/fleet/labscapes.ts';
import type { Item } from '../../store/table/attributes.ts';
import { ZERO } from '../../vector.ts';
import { joinedLabscape, patchedLabscape } from '../registry/labscape-record.ts';
import { keysWith } from '../registry/signing-keys.ts';

/** What owns no work, made again from its events alone. Pure; undefined where they do not tell enough. */
type Chain = readonly AuditEvent[];
const idOf = ({ entity }: AuditEvent): string => entity.slice(entity.indexOf('#') + 1);

/** `rev` is what its fills are moved by: none is as high as the time, epoch ms. */
export function remadeLabscape([first, ...rest]: Chain, at: number): LabscapeRecord | undefined {
  const { protocolVersion, ...input } = first?.body ?? {};
  const [joined, version] = [LabscapeInput.safeParse(input).data, Version.safeParse(protocolVersion).data];
  if (first === undefined || joined === undefined || version === undefined) return undefined;
  let labscape = joinedLabscape(joined, version, first);
  for (const event of rest) {
    const patch = LabscapePatch.safeParse(event.body).data;
    const after = patch && patchedLabscape(labscape, patch);
    if (after === undefined || 'issues' in after) return undefined;
    labscape = { ...after, chain: headOf(event) };
  }
  const { fills } = labscape;
  return { ...labscape, fills: fills && { ...fills, rev: at } };
}

/** The tenant, and slices of which nothing is used: what is comes from its allocations. */
export function remadeTenant(chain: Chain): { tenant: Item; slices: readonly Item[] } | undefined {
  const last = chain.at(-1);
  const input = TenantInput.safeParse(last?.body).data;
  if (last === undefined || input === undefined) return undefined;
  const { quota, slices, weight = 1 } = input;
  const id = idOf(last);
  return {
    tenant: encodeTenant({ id, quota, slices, weight, cfg: last.rev, chain: headOf(last) }),
    slices: cutQuota(quota, slices).map((cap, index) => encodeSlice(id, { index, cap, used: ZERO })),
  };
}

export function remadePrincipal(chain: Chain): Item | undefined {
  const [first] = chain;
  if (first === undefined) return undefined;
  let principal: PrincipalRecord = {
    ...{ id: idOf(first), status: 'active', reason: undefined, changedAt: undefined },
    ...{ keys: [], chain: EMPTY_CHAIN },
  };
  for (const event of chain) {
    const change = changeOf(principal, event);
    if (change === undefined) return undefined;
    principal = { ...principal, ...change, changedAt: event.at, chain: headOf(event) };
  }
  return encodePrincipal(principal);
}

function changeOf(
  { keys }: PrincipalRecord,
  { type, body, at }: AuditEvent,
): Partial<PrincipalRecord> | undefined {
  const text = (name: string): string => String(body[name] ?? '');
  switch (type) {
    case 'principal.revoked':
      return { status: 'revoked', reason: text('reason') };
    case 'principal.reinstated':
      return { status: 'active', reason: text('reason') };
    case 'principal.key-added': {
      const { overlapMs } = body;
      // One that came with its labscape replaces what was there.
      if (typeof overlapMs !== 'number') return { keys: keysWith([], text('publicKey'), 0, at) };
      return { keys: keysWith(keys, text('publicKey'), overlapMs, at) };
    }
    case 'principal.key-revoked':
      return { keys: keys.map((key) => (key.id === text('key') ? { ...key, revokedAt: at } : key)) };
    case 'principal.break-glass-used':
      return { keys: [] };
    default:
      return undefined;
  }
}
