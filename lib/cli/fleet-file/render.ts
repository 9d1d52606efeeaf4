import type { Colour, Paint } from '../paint.ts';
import type { Change } from './change.ts';
import type { FieldChange } from './fields.ts';

const SIGNS: Readonly<Record<Change['action'], readonly [string, Colour]>> = {
  create: ['+', 'green'],
  change: ['~', 'yellow'],
  unchanged: ['=', 'dim'],
  refused: ['!', 'red'],
  extra: ['?', 'dim'],
  prune: ['-', 'red'],
};

const word = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : JSON.stringify(value);

const fieldLine = ({ path, from, to }: FieldChange, isNew: boolean): string =>
  isNew || from === undefined ? `    ${path}: ${word(to)}` : `    ${path}: ${word(from)} → ${word(to)}`;

/** The difference as people read it: what is as it should be is counted only. */
export function diffLines(changes: readonly Change[], paint: Paint): string[] {
  const lines = changes.flatMap(({ action, kind, id, fields, note }) => {
    if (action === 'unchanged') return [];
    const [sign, colour] = SIGNS[action];
    const where = action === 'extra' ? ' is not in the file' : '';
    return [
      paint(colour, `${sign} ${kind} ${id}${where}${note === undefined ? '' : `: ${note}`}`),
      ...fields.map((field) => fieldLine(field, action === 'create')),
    ];
  });
  return [...lines, summaryOf(changes)];
}

const WORDS: readonly (readonly [Change['action'], string])[] = [
  ['create', 'to create'],
  ['change', 'to change'],
  ['prune', 'to prune'],
  ['refused', 'refused'],
  ['unchanged', 'as they should be'],
  ['extra', 'not in the file'],
];

function summaryOf(changes: readonly Change[]): string {
  const parts = WORDS.flatMap(([action, says]) => {
    const count = changes.filter((change) => change.action === action).length;
    if (count === 0) return [];
    return [count === 1 && action === 'unchanged' ? '1 as it should be' : `${count} ${says}`];
  });
  return parts.length === 0 ? 'nothing is declared' : parts.join(', ');
}
