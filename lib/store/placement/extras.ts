import type { Extras, Swap } from '../../allocation/extras.ts';
import { packUsed } from '../fleet/resources.ts';
import { type Item, S, SS } from '../table/attributes.ts';
import { attributeEquals, type Condition } from '../table/update.ts';

/** What an update of a resource does and asks for on account of spread keys and devices; all empty for most. */
interface Part {
  readonly set: Item;
  readonly conditions: readonly Condition[];
}

const bankPart = ({ bank }: Extras): Part =>
  bank === undefined
    ? { set: {}, conditions: [] }
    : {
        set: { devUsed: packUsed(bank.after) },
        conditions: [attributeEquals('devUsed', packUsed(bank.seen))],
      };

const marksOf = ({ marks }: Extras): Item =>
  marks.length === 0 ? {} : { spread: SS(marks.map(({ entry }) => entry)) };

/** No other group of that key has a hard rule here. Holds where the set is absent, too. */
const keyIsFree =
  (entry: string): Condition =>
  (p) =>
    `NOT contains(${p.name('spread')}, ${p.value(S(entry))})`;

/** The devices and spread keys that come to a resource: what is written, and that nobody took them meanwhile. */
export const comingPart = (extras: Extras): Part & { readonly add: Item } => {
  const { set, conditions } = bankPart(extras);
  const hard = extras.marks.filter((mark) => mark.hard);
  return {
    set,
    add: marksOf(extras),
    conditions: [...conditions, ...hard.map(({ entry }) => keyIsFree(entry))],
  };
};

/** What a resource's item gives back when a group leaves; the counterpart of `comingPart`. */
export const goingPart = (extras: Extras): Part & { readonly deleteFromSet: Item } => ({
  ...bankPart(extras),
  deleteFromSet: marksOf(extras),
});

/**
 * Groups leave and another comes in one update. An expression may not both add to a set and take from it: where marks
 * come and go the set is replaced as a whole, as it was seen.
 */
export const swapPart = ({
  seen,
  going,
  coming,
}: Swap): Part & { readonly add: Item; readonly deleteFromSet: Item } => {
  const first = going.bank ?? coming.bank;
  const last = coming.bank ?? going.bank;
  const bank = bankPart({
    marks: [],
    ...(first === undefined || last === undefined ? {} : { bank: { seen: first.seen, after: last.after } }),
  });
  if (coming.marks.length === 0 || going.marks.length === 0) {
    const come = comingPart({ marks: coming.marks });
    const conditions = [...bank.conditions, ...come.conditions];
    return { set: bank.set, add: come.add, deleteFromSet: marksOf(going), conditions };
  }
  const entries = new Set(seen.spread);
  for (const { entry } of going.marks) entries.delete(entry);
  for (const { entry } of coming.marks) entries.add(entry);
  return {
    set: { ...bank.set, spread: SS([...entries]) },
    add: {},
    deleteFromSet: {},
    conditions: [...bank.conditions, attributeEquals('spread', SS(seen.spread ?? []))],
  };
};
