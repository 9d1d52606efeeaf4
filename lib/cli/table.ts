import { stripVTControlCharacters } from 'node:util';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

const GAP = '  ';

const widthOf = (text: string): number => [...stripVTControlCharacters(text)].length;

function pad(text: string, width: number, align: Column['align']): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)));
  return align === 'right' ? blanks + text : text + blanks;
}

/** Aligned columns under a head; colours do not count as width. Ends without a line break, lines without blanks. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  paintHead: (text: string) => string = (text) => text,
): string {
  const widths = columns.map(({ title }, i) =>
    Math.max(widthOf(title), ...rows.map((row) => widthOf(row[i] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    columns.map(({ align }, i) => pad(cells[i] ?? '', widths[i] ?? 0, align)).join(GAP);
  const head = line(columns.map(({ title }) => title)).trimEnd();
  return [paintHead(head), ...rows.map((row) => line(row).trimEnd())].join('\n');
}
