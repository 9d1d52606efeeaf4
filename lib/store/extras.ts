import type { Extras } from '../allocation/extras.ts';
import { type Item, S, SS } from './attributes.ts';
import { packUsed } from './resources.ts';
import { attributeEquals, type Condition } from './update.ts';

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
const keyIsFree = (entry: string, index: number): Condition => ({
  text: `NOT contains(#spread, :spread${index})`,
  names: { '#spread': 'spread' },
  values: { [`:spread${index}`]: S(entry) },
});

export const comingPart = (extras: Extras): Part & { readonly add: Item } => {
  const { set, conditions } = bankPart(extras);
  const hard = extras.marks.filter((mark) => mark.hard);
  return {
    set,
    add: marksOf(extras),
    conditions: [...conditions, ...hard.map(({ entry }, index) => keyIsFree(entry, index))],
  };
};

export const goingPart = (extras: Extras): Part & { readonly deleteFromSet: Item } => ({
  ...bankPart(extras),
  deleteFromSet: marksOf(extras),
});
