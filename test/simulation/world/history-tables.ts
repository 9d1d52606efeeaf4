import type { LocalTable } from '../../../infra/local/template/template.ts';
import type { EngineLine } from '../worker/engine-line.ts';

/** Tables of one history's own: many share an engine. */
export const renamed = (tables: readonly LocalTable[], suffix: string): readonly LocalTable[] =>
  tables.map((table) => ({ ...table, name: `${table.name}-${suffix}` }));

/** A history leaves nothing behind in the engine. */
export const dropTables = async (engine: EngineLine, tables: readonly LocalTable[]): Promise<void> => {
  for (const { name: TableName } of tables) await engine.call('DeleteTable', JSON.stringify({ TableName }));
};
