import type { Picture } from './picture.ts';

/** One thing that is another than a moment before; `from` is absent where it was not there. */
export interface Seen {
  /** When the control plane said so, epoch ms. */
  readonly at: number;
  readonly kind: 'labscape' | 'resource' | 'recovery' | 'pending';
  readonly id: string;
  readonly from?: string;
  readonly to: string;
  readonly why?: string;
}

interface Fact {
  readonly kind: Seen['kind'];
  readonly id: string;
  readonly is: string;
  readonly why?: string;
}

function factsOf({ fleet, recoveries }: Picture): Fact[] {
  return [
    ...fleet.labscapes.flatMap(({ id, mode, maintenance, resources }): Fact[] => [
      { kind: 'labscape', id, is: maintenance ? `maintenance (${mode})` : mode },
      ...resources.map(({ id: resource, status, verdict, reason }): Fact => {
        const is = verdict === status ? status : `${status} (${verdict})`;
        return { kind: 'resource', id: resource, is, why: reason };
      }),
    ]),
    ...recoveries.map(({ id, status, nextPhase, reason, endedAt }): Fact => {
      const next = endedAt !== undefined || nextPhase === undefined ? '' : `, next ${nextPhase}`;
      return { kind: 'recovery', id, is: `${status}${next}`, why: reason };
    }),
    ...fleet.recoveries
      .filter(({ id }) => !recoveries.some((known) => known.id === id))
      .map(({ id, status }): Fact => ({ kind: 'recovery', id, is: status })),
    { kind: 'pending', id: 'groups', is: String(fleet.pending.groups) },
  ];
}

/** What is another than in the picture before, or all of it in the first one. Pure. */
export function changesBetween(before: Picture | undefined, after: Picture): Seen[] {
  const known = new Map(
    (before === undefined ? [] : factsOf(before)).map(({ kind, id, is }) => [`${kind} ${id}`, is]),
  );
  return factsOf(after).flatMap(({ kind, id, is, why }): Seen[] => {
    const from = known.get(`${kind} ${id}`);
    if (from === is) return [];
    return [
      {
        ...{ at: after.fleet.at, kind, id },
        ...(from !== undefined && { from }),
        to: is,
        ...(why !== undefined && why !== '' && { why }),
      },
    ];
  });
}
