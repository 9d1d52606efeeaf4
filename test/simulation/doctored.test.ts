import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Engine, startEngine } from '../../infra/local/database/engine.ts';
import { synthesise } from '../../infra/local/template/synthesise.ts';
import { type LocalTemplate, readTemplate } from '../../infra/local/template/template.ts';
import { runSeed } from './run-seed.ts';
import { shrinkSeed } from './shrink/shrink-seed.ts';
import { type EngineAnswer, EngineLine } from './worker/engine-line.ts';
import type { Mutate } from './worker/store-line.ts';
import { readableHistory } from './world/history.ts';
import { parseOrdinals } from './world/ordinals.ts';

process.env['POWERTOOLS_LOG_LEVEL'] = 'SILENT';
process.env['POWERTOOLS_METRICS_DISABLED'] = 'true';

/** Transactions that allocate leave out their event. */
const withoutEvent: Mutate = {
  request: (request) => {
    if (request.operation !== 'TransactWriteItems' || !request.body.includes('ALLOC#')) return request;
    const body = JSON.parse(request.body) as { TransactItems: { Put?: { Item: object } }[] };
    const kept = body.TransactItems.filter(({ Put }) => Put === undefined || !('entity' in Put.Item));
    return { ...request, body: JSON.stringify({ ...body, TransactItems: kept }) };
  },
};

/** An engine that answers each tenth write without doing it. */
class ForgetfulLine extends EngineLine {
  #writes = 0;

  override call(...[operation, body]: Parameters<EngineLine['call']>): Promise<EngineAnswer> {
    const writes = operation === 'UpdateItem';
    if (writes) this.#writes += 1;
    return writes && this.#writes % 10 === 0
      ? Promise.resolve({ status: 200, body: '{}' })
      : super.call(operation, body);
  }
}

describe('a doctored commit', () => {
  let engine: Engine;
  let line: EngineLine;
  let template: LocalTemplate;
  beforeAll(async () => {
    engine = await startEngine();
    line = new EngineLine(engine.url);
    template = readTemplate(await synthesise(), { IssuerKeys: '{"keys":[]}' });
  });
  afterAll(async () => {
    line.close();
    await engine.stop();
  });
  const run = (seed: number, mutate: Mutate, leftOut = '') =>
    runSeed({ seed, mutate, leftOut: parseOrdinals(leftOut), template, engine: line, engineUrl: engine.url });

  test('without its event breaks invariant 10, with no fault at all, and the history shows it', async () => {
    const failed = await run(1, withoutEvent);
    expect(failed.breaches.map(({ invariant }) => invariant)).toContain(10);

    const shrunk = await shrinkSeed(failed, (leftOut) => run(1, withoutEvent, leftOut));

    expect(shrunk.result.struck).toEqual([]);
    expect(shrunk.leftOut).toBe('1-9999');
    const told = readableHistory(shrunk.result);
    expect(told.some((one) => one.includes('TransactWriteItems ALLOC#'))).toBe(true);
    expect(told.at(-1)).toMatch(/!! invariant 10: .* without an event/);
  });

  test('that the engine did not make is seen when the tables are compared', async () => {
    const forgetful = new ForgetfulLine(engine.url);

    const failed = await runSeed({ seed: 1, template, engine: forgetful, engineUrl: engine.url });

    forgetful.close();
    expect(failed.breaches.some(({ invariant, what }) => invariant === 0 && /table|differs/.test(what))).toBe(
      true,
    );
  });
});
