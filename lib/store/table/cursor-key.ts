import * as z from 'zod';
import type { Item } from './attributes.ts';

/** A position in a table or index, as a cursor carries it. */
export const StartKey = z.record(
  z.string().max(20),
  z.union([z.strictObject({ S: z.string().max(400) }), z.strictObject({ N: z.string().max(40) })]),
);
export type StartKey = z.infer<typeof StartKey>;

/** Only keys travel in cursors; anything else would be a mistake of ours. */
export const startKeyOf = (item: Item | undefined): StartKey | undefined =>
  item === undefined ? undefined : StartKey.parse(item);

export const itemOf = (key: StartKey | undefined): Item | undefined => {
  if (key === undefined) return undefined;
  const item: Item = {};
  for (const [name, value] of Object.entries(key)) item[name] = value;
  return item;
};
