import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type Row = Readonly<Record<string, string>>;

export const pageOf = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../docs/${name}`, import.meta.url)), 'utf8');

/** The rows of the first table under a heading, by the titles of their columns. */
export function tableUnder(page: string, heading: string): Row[] {
  const lines = page.split('\n');
  const at = lines.indexOf(heading);
  if (at < 0) throw new Error(`no heading ${heading}`);
  const rest = lines.slice(at + 1);
  const end = rest.findIndex((line) => line.startsWith('#'));
  const table = (end < 0 ? rest : rest.slice(0, end)).filter((line) => line.startsWith('|'));
  const cells = (line: string) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
  const [head = '', , ...body] = table;
  const titles = cells(head);
  return body.map((line) => Object.fromEntries(cells(line).map((cell, i) => [titles[i] ?? '', cell])));
}
