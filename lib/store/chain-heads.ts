import { type ChainHead, entityOf } from '../audit/event.ts';
import { type Item, optNum, optStr, str } from './table/attributes.ts';

/** The entity of an item of the state table by the first word of its sort key: of every kind that is audited. */
const ENTITIES: Readonly<Record<string, (id: string, scope: string) => string>> = {
  RES: (id) => entityOf.resource(id),
  LAB: (id) => entityOf.labscape(id),
  ALLOC: (id, tenant) => entityOf.allocation(tenant, id),
  TENANT: (id) => entityOf.tenant(id),
  PRINCIPAL: (id) => entityOf.principal(id),
  REC: (id) => entityOf.recovery(id),
  OVR: (id, labscape) => entityOf.override(labscape, id),
  PLAN: (id) => entityOf.plan(id),
  BACKUP: (id) => entityOf.backup(id),
  INC: (id) => entityOf.incident(id),
};

export interface KnownHead extends ChainHead {
  readonly entity: string;
}

/** What an item remembers as the last event of its chain; undefined for one that has no chain. */
export const chainHeadOf = (item: Item): KnownHead | undefined => {
  const [head, rev] = [optStr(item, 'head'), optNum(item, 'rev')];
  if (head === undefined || rev === undefined) return undefined;
  const [kind = '', id = ''] = str(item, 'sk').split('#');
  const entity = ENTITIES[kind]?.(id, str(item, 'pk').split('#')[1] ?? '');
  return entity === undefined ? undefined : { entity, rev, head };
};
