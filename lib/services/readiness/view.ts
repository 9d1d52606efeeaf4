import * as z from 'zod';
import { ProblemError } from '../../errors.ts';
import { Id, PAGE_SIZE_DEFAULT } from '../../schemas/common.ts';
import type { LabscapeReadiness, ReadinessPage, ResourceReadiness } from '../../schemas/readiness.ts';
import { allLabscapes } from '../../store/fleet/labscapes.ts';
import {
  type LabscapeReadinessRow,
  type ReadinessRow,
  readinessRows,
  readLabscapeReadiness,
} from '../../store/fleet/readiness.ts';
import type { Runtime } from '../runtime.ts';

/** Position in the list: labscapes by id, within one its resources by id. */
export const ReadinessPosition = z.strictObject({ labscape: Id, after: Id.optional() });
type Position = z.infer<typeof ReadinessPosition>;

export interface ReadinessAsked {
  readonly labscape: string | undefined;
  readonly from: Position | undefined;
  readonly limit: number | undefined;
}

const resourceView = ({ gone: _, ...row }: ReadinessRow): ResourceReadiness => row;
export const labscapeView = ({ alarming: _, ...row }: LabscapeReadinessRow): LabscapeReadiness => row;

/** One page of what the last looks found. Raises not-found. */
export const listReadiness = async (
  { store }: Runtime,
  asked: ReadinessAsked,
): Promise<Omit<z.infer<typeof ReadinessPage>, 'next'> & { next?: Position }> => {
  const { from } = asked;
  const limit = asked.limit ?? PAGE_SIZE_DEFAULT;
  const all = (await allLabscapes(store)).map(({ id }) => id).sort();
  if (asked.labscape !== undefined && !all.includes(asked.labscape))
    throw new ProblemError('not-found', `no labscape ${asked.labscape} has joined`);
  const meant = all.filter((id) => asked.labscape === undefined || id === asked.labscape);
  const labscapes = from === undefined ? (await readLabscapeReadiness(store, meant)).map(labscapeView) : [];
  labscapes.sort((a, b) => (a.labscape < b.labscape ? -1 : 1));
  const items: ResourceReadiness[] = [];
  for (const id of meant.filter((one) => from === undefined || one >= from.labscape)) {
    const room = limit - items.length;
    if (room === 0) return { items, labscapes, next: { labscape: id } };
    const after = from?.labscape === id ? from.after : undefined;
    const { rows, next } = await readinessRows(store, id, room, after);
    items.push(...rows.map(resourceView));
    if (next !== undefined) return { items, labscapes, next: { labscape: id, after: next } };
  }
  return { items, labscapes };
};
