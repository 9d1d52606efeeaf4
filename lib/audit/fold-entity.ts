import * as z from 'zod';
import type { AuditEvent } from '../schemas/audit.ts';
import { withinTenant } from '../spread.ts';
import {
  EditedBody,
  EndedBody,
  FencedBody,
  MOVING_EVENTS,
  MovesBody,
  PlacedBody,
  RESTORED,
  RecoveryEndedBody,
  RegisteredBody,
  RegroupedBody,
  RenewedBody,
  RestoredBody,
  RestoredPendingBody,
  SILENT_EVENTS,
  STATUS_EVENTS,
  StatusBody,
} from './fold-events.ts';
import type { Findings, FoldedAllocation } from './fold-state.ts';

type Event = z.output<typeof AuditEvent>;

const by = (event: Event): string => `${event.entity}/${event.rev}`;

/** The body as its type promises it; anything else is a fault, and the event is passed over. */
function bodyOf<T extends z.ZodType>(shape: T, event: Event, faults: string[]): z.output<T> | undefined {
  const parsed = shape.safeParse(event.body);
  if (parsed.success) return parsed.data;
  faults.push(`${by(event)}: ${event.type} has another body: ${z.prettifyError(parsed.error)}`);
  return undefined;
}

/** Replays one allocation; what it says of its group's birth becomes a claim. */
export function foldAllocation(entity: string, chain: readonly Event[], found: Findings): void {
  const [, tenant = '', id = ''] = entity.split('#');
  let state: FoldedAllocation | undefined;
  for (const event of chain) {
    if (event.type === 'allocation.placed' || event.type === 'allocation.waiting') {
      state = placed(tenant, id, event, found) ?? state;
    } else if (state === undefined) {
      found.faults.push(`${by(event)}: ${event.type} of an allocation that was never accepted`);
    } else {
      state = changed(state, event, found);
    }
  }
  if (state !== undefined) found.allocations.set(`${tenant}#${id}`, state);
}

function placed(tenant: string, id: string, event: Event, found: Findings): FoldedAllocation | undefined {
  const body = bodyOf(PlacedBody, event, found.faults);
  if (body === undefined) return undefined;
  const { group, born, demand, resource } = body;
  if (born) {
    const owner = resource ?? undefined;
    const devices = body.devices?.map;
    found.claims.push({ group, epoch: 1, owner, from: undefined, devices, by: by(event) });
  }
  const leaseUntil = body.leaseUntil ?? undefined;
  const constraints = withinTenant(tenant, body.constraints);
  const milli = body.devices?.milli ?? 0;
  const leaseTold = body.leaseUntil !== undefined || event.type !== 'allocation.waiting';
  return {
    ...{ tenant, id, status: 'active', class: body.class, demand, milli, constraints, group },
    ...{ leaseUntil, leaseTold },
  };
}

function changed(state: FoldedAllocation, event: Event, found: Findings): FoldedAllocation {
  switch (event.type) {
    case 'allocation.renewed': {
      const body = bodyOf(RenewedBody, event, found.faults);
      return body === undefined ? state : { ...state, leaseUntil: body.leaseUntil, leaseTold: true };
    }
    case 'allocation.regrouped':
      return regrouped(state, event, found);
    case 'allocation.released':
    case 'allocation.expired': {
      const body = bodyOf(EndedBody, event, found.faults);
      if (body === undefined) return state;
      if (body.closed) found.closed.add(body.group);
      return { ...state, status: event.type === 'allocation.expired' ? 'expired' : 'released' };
    }
    default:
      found.faults.push(`${by(event)}: an unknown type, ${event.type}`);
      return state;
  }
}

function regrouped(state: FoldedAllocation, event: Event, found: Findings): FoldedAllocation {
  const body = bodyOf(RegroupedBody, event, found.faults);
  if (body === undefined) return state;
  if (body.from !== state.group)
    found.faults.push(`${by(event)}: leaves group ${body.from}, it was in ${state.group}`);
  const { group, born, resource: owner } = body;
  if (born) found.claims.push({ group, epoch: 1, owner, from: undefined, by: by(event) });
  if (body.closed) found.closed.add(body.from);
  return { ...state, group };
}

/** Replays one resource; its flips and receipts become claims on the groups they name. */
export function foldResource(entity: string, chain: readonly Event[], found: Findings): void {
  const id = entity.slice(entity.indexOf('#') + 1);
  for (const event of chain) {
    if (event.type === 'resource.registered') register(id, event, found);
    else if (event.type === RESTORED) restored(id, event, found);
    else if (MOVING_EVENTS.has(event.type)) claim(event, found);
    else change(id, event, found);
  }
}

function register(id: string, event: Event, found: Findings): void {
  const body = bodyOf(RegisteredBody, event, found.faults);
  if (body === undefined) return;
  const { labscape, capacity, devices: has } = body;
  const devices = has && { model: has.model, used: Array<number>(has.count).fill(0) };
  found.resources.set(id, { id, labscape, capacity, devices, status: 'healthy', epoch: 1 });
}

function claim(event: Event, found: Findings): void {
  const body = bodyOf(MovesBody, event, found.faults);
  for (const { group, from, to, epoch, devices } of body?.moves ?? []) {
    found.claims.push({ group, epoch, owner: to, from: from ?? undefined, devices, by: by(event) });
  }
  // What waits was taken from the resource on whose chain the flip stands.
  const from = event.entity.slice(event.entity.indexOf('#') + 1);
  for (const { group, epoch } of body?.pending ?? []) {
    found.claims.push({ group, epoch, owner: undefined, from, by: by(event) });
  }
}

function restored(id: string, event: Event, found: Findings): void {
  const body = bodyOf(RestoredBody, event, found.faults);
  const before = found.resources.get(id);
  if (before === undefined)
    found.faults.push(`${by(event)}: ${event.type} of a resource that was never registered`);
  if (body === undefined || before === undefined) return;
  if (body.epoch <= before.epoch) found.faults.push(`${by(event)}: its epoch ${body.epoch} went back`);
  found.resources.set(id, { ...before, status: body.to, epoch: body.epoch });
  for (const { group, from, to, epoch, devices } of body.moves)
    found.claims.push({
      ...{ group, epoch, owner: to, from: from ?? undefined, devices, restored: true },
      by: by(event),
    });
}

/** Groups that waited when they were restored, and wait on under a new epoch. */
export function foldRestore(chain: readonly Event[], found: Findings): void {
  for (const event of chain)
    for (const { group, epoch } of bodyOf(RestoredPendingBody, event, found.faults)?.pending ?? [])
      found.claims.push({
        ...{ group, epoch, owner: undefined, from: undefined, restored: true },
        by: by(event),
      });
}

function change(id: string, event: Event, found: Findings): void {
  const before = found.resources.get(id);
  if (before === undefined) {
    found.faults.push(`${by(event)}: ${event.type} of a resource that was never registered`);
    return;
  }
  const { faults } = found;
  let after: Partial<typeof before> | undefined;
  if (event.type === 'resource.fenced') {
    const body = bodyOf(FencedBody, event, faults);
    after = body && { status: 'recovering', epoch: body.epoch };
  } else if (event.type === 'resource.recovery-ended') {
    const body = bodyOf(RecoveryEndedBody, event, faults);
    after = body && { status: body.to, epoch: body.epoch };
  } else if (event.type === 'resource.edited') {
    const body = bodyOf(EditedBody, event, faults);
    after = body && { capacity: body.capacity };
  } else if (STATUS_EVENTS.has(event.type)) {
    const body = bodyOf(StatusBody, event, faults);
    after = body && { status: body.to };
  } else if (!SILENT_EVENTS.has(event.type)) {
    faults.push(`${by(event)}: an unknown type, ${event.type}`);
  }
  if (after !== undefined) found.resources.set(id, { ...before, ...after });
}
