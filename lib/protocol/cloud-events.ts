import * as z from 'zod';
import type { AuditEvent } from '../schemas/audit.ts';
import { type CloudEvent, eventType } from '../schemas/cloud-event.ts';

/** What a body says of groups, where it moves any. */
const Moves = z.object({
  moves: z
    .array(
      z.object({ group: z.string(), from: z.string().nullable(), to: z.string(), epoch: z.int().min(1) }),
    )
    .default([]),
  pending: z
    .array(z.object({ group: z.string(), epoch: z.int().min(1), reason: z.string().optional() }))
    .default([]),
});
/** Types whose bodies list moves; `pending` means something else elsewhere. */
const MOVING: ReadonlySet<string> = new Set([
  'resource.flipped',
  'resource.received',
  'resource.preempted',
  'resource.restored',
]);

const pathOf = (entity: string): string => {
  const [kind = '', ...rest] = entity.split('#');
  return [kind, ...rest].join('/');
};

/**
 * An audit event as CloudEvents 1.0: the change itself, then each move and each group that waits from now on. `source` and
 * `id` together are unique: entity, and position in its chain. Pure: the same event gives the same CloudEvents.
 */
export const cloudEventsOf = (event: AuditEvent, cursor?: string): readonly CloudEvent[] => {
  const { entity, rev, hash, actor, request, body, type } = event;
  const path = pathOf(entity);
  const recorded = { entity, rev, hash };
  const attributes = (id: string, subject: string) => ({
    ...{
      specversion: '1.0' as const,
      id,
      source: `/${path}`,
      subject,
      time: new Date(event.at).toISOString(),
    },
    ...{ datacontenttype: 'application/json' as const, ...(cursor === undefined ? {} : { cursor }) },
  });
  const changed: CloudEvent = {
    ...attributes(String(rev), path),
    type: eventType(type),
    data: { ...recorded, actor, request, body },
  };
  if (!MOVING.has(type)) return [changed];
  const { moves, pending } = Moves.parse(body);
  const moved = moves.map(
    ({ group, from, to, epoch }, index): CloudEvent => ({
      ...attributes(`${rev}.m${index}`, `group/${group}`),
      type: eventType('group.moved'),
      data: { ...recorded, group, from, to, epoch },
    }),
  );
  const from = path.split('/')[1] ?? '';
  const waiting = pending.map(
    ({ group, epoch, reason }, index): CloudEvent => ({
      ...attributes(`${rev}.w${index}`, `group/${group}`),
      type: eventType('group.waiting'),
      data: { ...recorded, group, from, epoch, ...(reason === undefined ? {} : { reason }) },
    }),
  );
  return [changed, ...moved, ...waiting];
};
