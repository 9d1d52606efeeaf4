import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { ROOT } from '../../infra/bundle.ts';
import { runApp } from '../../infra/local/template/synthesise.ts';
import { checkPolicies } from '../../infra/policies.ts';
import { ROUTES, type Route } from '../../lib/http/routes.ts';
import { temporaryFolder } from './support.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

test('a policy with a typo fails the synth', async () => {
  cpSync(join(ROOT, 'lib/security/policy'), folder.path, { recursive: true });
  const file = join(folder.path, 'policies.cedar');
  writeFileSync(file, readFileSync(file, 'utf8').replace('Action::"readFleet"', 'Action::"readFleat"'));
  expect(() => checkPolicies(ROUTES, folder.path)).toThrow('readFleat');
  process.env['POLICY_DIR'] = folder.path;
  const synth = runApp(join(folder.path, 'out'), { stage: 'local' });
  delete process.env['POLICY_DIR'];
  await expect(synth).rejects.toThrow(/policies are not valid.*readFleat/s);
});

test('a route without an action, or with one that no policy knows, fails the build', () => {
  const [first, ...rest]: readonly Route[] = ROUTES.filter(({ action }) => action !== 'public');
  if (first === undefined) throw new Error('no routes');
  expect(() => checkPolicies([{ ...first, action: '' }, ...rest])).toThrow(
    `${first.operation} has no action`,
  );
  expect(() => checkPolicies([{ ...first, action: 'dance' }, ...rest])).toThrow('no action dance');
  expect(() => checkPolicies()).not.toThrow();
});
