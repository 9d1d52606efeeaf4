import { expect, test } from '@jest/globals';
import { untilHeard } from '../../../infra/local/sample/until-heard.ts';
import type { Client } from '../../../lib/client/client.ts';

test('says how many agents are waited for whenever that changes', async () => {
  const heard = [[], [], ['a'], ['a', 'b'], ['a', 'b', 'c']];
  const operator = {
    call: async () => {
      const beats = heard.shift() ?? [];
      return { labscapes: [{ resources: ['a', 'b', 'c'].map((id) => ({ id, ...beatOf(id, beats) })) }] };
    },
  } as unknown as Pick<Client, 'call'>;
  const said: string[] = [];
  await untilHeard(operator, ['a', 'b', 'c'], (step) => said.push(step));
  expect(said).toEqual([
    'waits for the first beats of 3 of 3 agents',
    'waits for the first beats of 2 of 3 agents',
    'waits for the first beats of 1 of 3 agents',
  ]);
});

const beatOf = (id: string, heard: readonly string[]): object =>
  heard.includes(id) ? { lastBeatAt: 1 } : {};
