import { describe, expect, test } from '@jest/globals';
import * as z from 'zod';
import { Archive, Backups } from '../../../infra/config.ts';
import { AgentConfig, ProcessRunnerConfig, WorkerRunnerConfig } from '../../../lib/agent/config.ts';
import { LabscapeInput, Policy } from '../../../lib/schemas/labscape.ts';
import { ResourceInput } from '../../../lib/schemas/resource.ts';
import { TenantInput } from '../../../lib/schemas/tenant.ts';
import { fieldsOf } from './schema-fields.ts';
import { pageOf, type Row, tableUnder } from './tables.ts';

const page = pageOf('configuration.md');

/** Fields that have a table of their own. */
const elsewhere = (path: string): boolean => path.startsWith('policy.');

const TABLES: [string, z.ZodType][] = [
  ["## A labscape's policy", Policy],
  ['## A labscape', LabscapeInput],
  ['## A resource', ResourceInput],
  ["## A tenant's quota", TenantInput],
  ['## The agent', AgentConfig],
  ['### Runner `process`', ProcessRunnerConfig],
  ['### Runner `worker`', WorkerRunnerConfig],
  ['## Archive and backups of a stage', z.strictObject({ archive: Archive, backups: Backups })],
];

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/Ms$/, 'ms'],
  [/S$/, 's'],
  [/\.processing$/, 'milli-vCPU'],
  [/\.memory$/, 'MiB'],
  [/\.storage$/, 'GiB'],
  [/\.network$/, 'Mbit/s'],
];
const unitOf = (path: string): string | undefined =>
  path.startsWith('limits.') ? 'share of capacity' : UNITS.find(([of]) => of.test(path))?.[1];

/** What of a schema a table does not say, or says otherwise. */
function faultsOf(schema: z.ZodType, rows: readonly Row[]): string[] {
  const told = new Map(rows.map((row) => [row['field'] ?? '', row]));
  const fields = fieldsOf(schema).filter(({ path }) => !elsewhere(path));
  const paths = new Set(fields.map(({ path }) => path));
  return [
    ...fields.flatMap((field) => {
      const row = told.get(field.path);
      if (row === undefined) return [`${field.path} is missing`];
      const unit = unitOf(field.path);
      return [
        ...(row['default'] === field.default ? [] : [`${field.path} has the default ${field.default}`]),
        ...(field.mayBe === undefined || row['may be'] === field.mayBe
          ? []
          : [`${field.path} may be ${field.mayBe}`]),
        ...(unit === undefined || row['unit'] === unit ? [] : [`${field.path} is in ${unit}`]),
        ...['may be', 'unit', 'meaning']
          .filter((column) => !row[column])
          .map((column) => `${field.path}: no ${column}`),
      ];
    }),
    ...[...told.keys()].filter((path) => !paths.has(path)).map((path) => `${path} is no field`),
  ];
}

describe('the configuration page', () => {
  test.each(TABLES)('%s tells every field with default, range, unit and meaning', (heading, schema) => {
    expect(fieldsOf(schema).length).toBeGreaterThan(3);
    expect(faultsOf(schema, tableUnder(page, heading))).toEqual([]);
  });

  test('would be found out', () => {
    const schema = z.strictObject({
      waitMs: z.int().min(1).max(9).default(3),
      mode: z.enum(['a', 'b']).optional(),
      deep: z.strictObject({ name: z.string() }),
    });
    const good = [
      { field: 'waitMs', default: '3', 'may be': '1 to 9', unit: 'ms', meaning: 'x' },
      { field: 'mode', default: 'none', 'may be': 'a, b', unit: '-', meaning: 'x' },
      { field: 'deep.name', default: 'required', 'may be': 'a name', unit: '-', meaning: 'x' },
    ];
    expect(faultsOf(schema, good)).toEqual([]);
    expect(faultsOf(schema, good.slice(1))).toEqual(['waitMs is missing']);
    const wrong = good.map((row) => ({ ...row, default: '7', unit: 's', 'may be': 'any', meaning: '' }));
    expect(faultsOf(schema, [...wrong, { ...good[0], field: 'gone' }])).toEqual([
      ...['waitMs has the default 3', 'waitMs may be 1 to 9', 'waitMs is in ms', 'waitMs: no meaning'],
      ...['mode has the default none', 'mode may be a, b', 'mode: no meaning'],
      ...['deep.name has the default required', 'deep.name: no meaning', 'gone is no field'],
    ]);
  });
});
