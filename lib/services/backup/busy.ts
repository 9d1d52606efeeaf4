import { entityOf } from '../../audit/event.ts';
import type { FoldedState } from '../../audit/fold-state.ts';
import type { AuditEvent } from '../../schemas/audit.ts';

/**
 * Groups, and entities by their names in the audit, of which events behind the point speak: what they hold changes while
 * we look. An event tells of more than the entity on whose chain it stands: a move of its target, a placement of its
 * resource.
 */
export function busyNames(
  all: readonly AuditEvent[],
  kept: readonly AuditEvent[],
  folded: FoldedState,
): ReadonlySet<string> {
  const known = new Set(kept);
  const busy = new Set<string>();
  for (const event of all) {
    if (known.has(event)) continue;
    const { entity, body } = event;
    busy.add(entity);
    const id = entity.slice(entity.indexOf('#') + 1);
    for (const group of folded.resources.get(id)?.groups ?? []) busy.add(group);
    for (const name of textsIn(body)) {
      busy.add(name);
      busy.add(entityOf.resource(name));
    }
  }
  return busy;
}

/** Every text in a body, however deep: whatever it names is among them. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
