import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { LogSink } from '../../infra/local/functions/logs.ts';
import { hostFunctions, temporaryFolder, tinyFunction } from './support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const tiny = (name: string, source: string, more = {}) => tinyFunction(folder.path, name, source, more);

test('each function has an environment of its own', async () => {
  const source = `exports.handler = async () => {
    process.env.WRITTEN = 'yes';
    return [process.env.WHO, globalThis.process.env.WHO, require('node:process').env.WHO, process.env.AWS_LAMBDA_FUNCTION_NAME, process.env.HOME];
  };`;
  const functions = hostFunctions([
    tiny('one', source, { environment: { WHO: '1' } }),
    tiny('two', source, { environment: { WHO: '2' } }),
  ]);
  expect(await functions.invoke('one', {})).toEqual({
    ok: true,
    payload: ['1', '1', '1', 'labscape-local-one', null],
  });
  expect(await functions.invoke('two', {})).toMatchObject({
    payload: ['2', '2', '2', 'labscape-local-two', null],
  });
  expect(process.env['WRITTEN']).toBeUndefined();
});

test('a function is loaded once, by its first call', async () => {
  const functions = hostFunctions([tiny('once', 'let n = 0; exports.handler = async () => (n += 1);')]);
  await functions.invoke('once', {});
  expect(await functions.invoke('labscape-local-once', {})).toEqual({ ok: true, payload: 2 });
});

test('what a function throws comes back by name and message, also while it is loaded', async () => {
  const thrower = `class Superseded extends Error { name = 'Superseded' }
    exports.handler = async () => { throw new Superseded('newer'); };`;
  const functions = hostFunctions([
    tiny('thrower', thrower),
    tiny('broken', 'throw new TypeError("at load")'),
  ]);
  expect(await functions.invoke('thrower', {})).toEqual({
    ok: false,
    errorType: 'Superseded',
    errorMessage: 'newer',
  });
  expect(await functions.invoke('broken', {})).toMatchObject({ ok: false, errorType: 'TypeError' });
});

test('a function that takes longer than its timeout is given up', async () => {
  const source =
    'exports.handler = (e, c) => new Promise((r) => setTimeout(r, 200, c.getRemainingTimeInMillis()));';
  const functions = hostFunctions([tiny('slow', source, { timeoutS: 0.1 }), tiny('quick', source)]);
  expect(await functions.invoke('slow', {})).toMatchObject({ errorType: 'Sandbox.Timedout' });
  const answer = await functions.invoke('quick', {});
  expect(answer.ok && Number(answer.payload) > 4000).toBe(true);
  await functions.drain(1000);
});

test('events and answers pass as JSON', async () => {
  const source = `exports.handler = async (event) => { event.changed = true; return { date: new Date(0), none: undefined }; };`;
  const event = {};
  const answer = await hostFunctions([tiny('json', source)]).invoke('json', event);
  expect(answer).toEqual({ ok: true, payload: { date: '1970-01-01T00:00:00.000Z' } });
  expect(event).toEqual({});
});

test('calls of one function that overlap keep what belongs to each apart', async () => {
  const source = `exports.handler = async ({ id }) => {
    awslambdaStore = globalThis.awslambda.InvokeStore;
    awslambdaStore.set('id', id);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return [awslambdaStore.get('id'), awslambdaStore.getRequestId().length];
  };
  let awslambdaStore;`;
  const functions = hostFunctions([tiny('store', source)]);
  const answers = await Promise.all([1, 2, 3].map((id) => functions.invoke('store', { id })));
  expect(answers).toEqual([1, 2, 3].map((id) => ({ ok: true, payload: [id, 36] })));
});

test('a layer is found by require, and its files under /opt', async () => {
  const layer = join(folder.path, 'layer');
  const source = `const { readFileSync } = require('node:fs');
    exports.handler = async () => [require('@scope/engine/sub'), readFileSync(process.env.WHERE + '/f.txt', 'utf8')];`;
  const module = join(layer, 'nodejs', 'node_modules', '@scope', 'engine');
  mkdirSync(module, { recursive: true });
  mkdirSync(join(layer, 'policy'));
  writeFileSync(join(module, 'sub.js'), 'module.exports = "from the layer";');
  writeFileSync(join(layer, 'policy', 'f.txt'), 'text');
  const more = { layerDirs: [layer], environment: { WHERE: '/opt/policy' } };
  const functions = hostFunctions([tiny('layered', source, more)]);
  expect(await functions.invoke('layered', {})).toEqual({ ok: true, payload: ['from the layer', 'text'] });
});

test('lines a function writes go to its log, and its metrics to whoever listens', async () => {
  const dir = join(folder.path, 'logs');
  const sink = new LogSink(dir);
  const heard: unknown[] = [];
  const stop = sink.onMetric((name, emf) => heard.push([name, emf]));
  const source = `exports.handler = async () => {
    console.log(JSON.stringify({ _aws: { Timestamp: 1 }, Beats: 3 }));
    process.stdout.write('half a ');
    process.stdout.write('line\\n');
  };`;
  const functions = hostFunctions([tiny('writer', source)], sink);
  await functions.invoke('writer', {});
  stop();
  await functions.invoke('writer', {});
  await sink.close();
  expect(heard).toEqual([['labscape-local-writer', { _aws: { Timestamp: 1 }, Beats: 3 }]]);
  const lines = readFileSync(join(dir, 'labscape-local-writer.log'), 'utf8').trim().split('\n');
  expect(lines).toHaveLength(4);
  expect(lines[1]).toBe('half a line');
});
