import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { parseConfig } from '../../../lib/agent/config.ts';
import { Probes } from '../../../lib/agent/probes.ts';
import { until } from './runner-bench.ts';

const servers: Server[] = [];
let probes: Probes | undefined;
afterEach(async () => {
  probes?.stop();
  await Promise.all(servers.splice(0).map((one) => new Promise((resolve) => one.close(resolve))));
});

const listening = async (server: Server): Promise<string> => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
};
const tcp = () => listening(createServer((socket) => socket.destroy()));
/** Somebody listened there a moment ago. */
const nobody = async () => {
  const address = await tcp();
  await new Promise((resolve) => servers.pop()?.close(resolve));
  return address;
};

const configOf = (named: readonly object[]) =>
  parseConfig(
    JSON.stringify({
      ...{
        url: 'http://127.0.0.1:1',
        token: 't',
        labscape: 'lab',
        agent: 'host',
        probes: named,
        probeEveryMs: 50,
      },
      resources: [{ id: 'r1', runner: { kind: 'process' } }],
    }),
    'agent.json',
  );

test('tells whom it reaches by TCP or HTTP and whom it does not, and what has changed since', async () => {
  const gone = await nobody();
  const web = await listening(createHttp((_, answer) => answer.writeHead(500).end()));
  const open = await tcp();
  probes = new Probes(
    configOf([
      { resource: 'up', address: `tcp://${open}` },
      { resource: 'web', address: `http://${web}/health` },
      { resource: 'down', address: `tcp://${gone}` },
      { labscape: 'far', address: `http://${gone}` },
      { labscape: 'near', address: `tcp://${gone}` },
      { labscape: 'near', address: `tcp://${open}` },
    ]),
  );
  expect(probes.word()).toEqual({});
  probes.start();
  const said = () => probes?.word();
  await until('all were tried', () => said()?.reached?.length === 2 && said()?.unreachable?.length === 1);
  await until('the one that is down, too', () => said()?.unreached?.length === 1);
  expect(new Set(said()?.reached)).toEqual(new Set(['up', 'web']));
  expect(said()).toMatchObject({ unreached: ['down'], unreachable: ['far'] });
  const [listener] = servers.splice(1, 1);
  await new Promise((resolve) => listener?.close(resolve));
  await until('its loss is told', () => said()?.unreached?.includes('up') === true);
});

test.each([
  ['neither a resource nor a labscape', [{ address: 'tcp://127.0.0.1:1' }]],
  ['both', [{ resource: 'r', labscape: 'l', address: 'tcp://127.0.0.1:1' }]],
  ['no port', [{ resource: 'r', address: 'tcp://127.0.0.1' }]],
  ['a file', [{ resource: 'r', address: 'file:///etc/passwd' }]],
])('a probe that names %s is no configuration', (_, named) => {
  expect(() => configOf(named)).toThrow(/probes\.0/);
});
