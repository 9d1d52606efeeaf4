import { describe, expect, test } from '@jest/globals';
import { FleetFileError, parseFleetFile } from '../../../../lib/cli/fleet-file/parse.ts';

const faultsOf = (text: string): string[] => {
  try {
    parseFleetFile(text, 'fleet.yaml');
  } catch (error) {
    if (error instanceof FleetFileError) return error.message.split('\n');
    throw error;
  }
  throw new Error('was taken');
};

const GOOD = `
labscapes:
  north:
    policy: { mode: observe, limits: { memory: 0.8 }, rebalance: { mode: 'off' } }
resources:
  north-1:
    labscape: north
    capacity: &small { processing: 8000, memory: 16000, storage: 100, network: 1000 }
    labels: { rack: a }
  north-2: { labscape: north, capacity: *small }
tenants:
  acme: { quota: { processing: 1, memory: 1, storage: 1, network: 1 } }
work:
  web-1:
    tenant: acme
    resource: north-1
    demand: { processing: 500, memory: 100, storage: 0, network: 0 }
`;

describe('a fleet file', () => {
  test('is read with nothing filled in but what work must have', () => {
    const file = parseFleetFile(GOOD, 'fleet.yaml');
    expect(file.labscapes['north']).toEqual({
      policy: { mode: 'observe', limits: { memory: 0.8 }, rebalance: { mode: 'off' } },
    });
    expect(file.resources['north-2']?.capacity).toEqual(file.resources['north-1']?.capacity);
    expect(file.work['web-1']).toMatchObject({ class: 'normal', constraints: {} });
    expect(parseFleetFile('{}', 'f')).toEqual({ labscapes: {}, resources: {}, tenants: {}, work: {} });
    expect(parseFleetFile(JSON.stringify(file), 'f')).toEqual(file);
  });

  test.each<[string, string, string]>([
    [
      'a wrong value, at the line of its key',
      GOOD.replace('mode: observe', '\n      mode: always'),
      'fleet.yaml:5: labscapes.north.policy.mode: must be one of off, observe, ask, automatic',
    ],
    [
      'an unknown field, at its own line',
      GOOD.replace('    labels: { rack: a }', '    colour: red'),
      'fleet.yaml:9: resources.north-1.colour: is not known here',
    ],
    [
      'a missing field, at what it is missing in',
      GOOD.replace('    tenant: acme\n', ''),
      'fleet.yaml:14: work.web-1.tenant: is required',
    ],
    [
      'a wrong value behind an alias, where it stands',
      GOOD.replace('memory: 16000', 'memory: -1'),
      'fleet.yaml:8: resources.north-1.capacity.memory: must be at least 1',
    ],
    [
      'a name that is none',
      GOOD.replace('north-2:', 'North 2:'),
      'fleet.yaml:10: resources.North 2: must be 1 to 40 characters of a-z, 0-9 and -',
    ],
    ['the same name twice', GOOD.replace('north-2:', 'north-1:'), 'fleet.yaml:10: Map keys must be unique'],
    ['what is no YAML', 'labscapes: [', 'fleet.yaml:1: Flow sequence in block collection must be'],
    ['nothing', '', 'fleet.yaml: must be an object, not null'],
  ])('is refused for %s', (_, text, says) => {
    expect(faultsOf(text)).toContainEqual(expect.stringContaining(says));
  });

  test('tells of all faults at once, also of a list', () => {
    const text = GOOD.replace('mode: observe', 'mode: x').replace(
      '    tenant: acme\n',
      '    tenant: acme\n    devices: { models: [a100, "b 1"] }\n',
    );
    expect(faultsOf(text)).toEqual([
      expect.stringMatching(/^fleet\.yaml:4: labscapes\.north\.policy\.mode/),
      expect.stringMatching(/^fleet\.yaml:16: work\.web-1\.devices\.models\.1: must be a device model/),
    ]);
  });

  test('that would unfold without end is refused', () => {
    const bomb = ['a: &a [x]', 'b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]', 'c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]'];
    const text = [...bomb, 'd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]'].join('\n');
    expect(faultsOf(text)[0]).toContain('Excessive alias count');
  });
});
