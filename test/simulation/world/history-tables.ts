import type { LocalTable } from '../../../infra/local/template/template.ts';
import type { EngineLine } from '../worker/engine-line.ts';

/** A history leaves nothing behind in the engine. */
export const dropTables = async (engine: EngineLine, tables: readonly LocalTable[]): Promise<void> => {
  for (const { name: TableName } of tables) await engine.call('DeleteTable', JSON.stringify({ TableName }));
};
