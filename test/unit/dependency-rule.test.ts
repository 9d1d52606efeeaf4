import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const ROOT = resolve(import.meta.dirname, '../..');
const CRUISER = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
const CONFIG = join(ROOT, '.dependency-cruiser.cjs');

interface Cruise {
  readonly modules: readonly {
    readonly source: string;
    readonly dependencies: readonly { readonly resolved: string }[];
  }[];
  readonly summary: {
    readonly violations: readonly {
      readonly rule: { readonly name: string };
      readonly from: string;
      readonly to: string;
    }[];
  };
}

function cruise(folder: string): Cruise {
  const args = [CRUISER, '--config', CONFIG, '--output-type', 'json', 'lib', 'functions'];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8', maxBuffer: 1e8 }));
}

describe('our own modules', () => {
  const { modules, summary } = cruise(ROOT);

  test('keep the dependency rule', () => {
    expect(summary.violations.map((v) => `${v.rule.name}: ${v.from} → ${v.to}`)).toEqual([]);
  });

  test('were read with their type imports, else the rule would see half of them', () => {
    const claims = modules.find((module) => module.source === 'lib/security/authorise.ts');
    expect(claims?.dependencies.map((dependency) => dependency.resolved)).toContain('lib/clock.ts');
  });
});

/** One breach of each rule: the file that commits it and what it imports. */
const BREACHES: readonly (readonly [rule: string, file: string, line: string])[] = [
  ['no-cycles', 'lib/health/a.ts', `import { b } from './b.ts'; export const a = b;`],
  ['domains-are-islands', 'lib/failover/plan.ts', `import type { P } from '../allocation/eligibility.ts';`],
  ['domains-are-islands', 'lib/audit/chain.ts', `import { Store } from '../store/store.ts';`],
  ['domains-are-islands', 'lib/security/late.ts', `export const late = () => import('../store/store.ts');`],
  ['domains-are-pure', 'lib/health/detector.ts', `import { Logger } from '@aws-lambda-powertools/logger';`],
  [
    'schemas-are-the-floor',
    'lib/schemas/common.ts',
    `import type { P } from '../allocation/eligibility.ts';`,
  ],
  [
    'only-the-store-knows-dynamodb',
    'lib/services/move.ts',
    `import type { X } from '@aws-sdk/client-dynamodb';`,
  ],
  ['store-is-below-services', 'lib/store/fleet.ts', `import type { F } from '../services/fleet.ts';`],
  ['services-are-below-chains', 'lib/services/answer.ts', `import { etag } from '../http/answer.ts';`],
  ['chains-are-apart', 'lib/workflow/chain.ts', `import { etag } from '../http/answer.ts';`],
  ['lib-stands-alone', 'lib/services/env.ts', `import { runtime } from '../../functions/runtime.ts';`],
  ['functions-are-thin', 'functions/audit/handler.ts', `import { x } from '../status/handler.ts';`],
  ['hosts-and-desks-use-the-public-api', 'lib/cli/look.ts', `import { Store } from '../store/store.ts';`],
  ['hosts-and-desks-use-the-public-api', 'lib/agent/look.ts', `import { etag } from '../http/answer.ts';`],
  ['hosts-and-desks-need-no-cloud', 'lib/client/send.ts', `import { S } from '@aws-sdk/client-sfn';`],
];

/** What the breaches import, and imports that are allowed. */
const BACKGROUND: Readonly<Record<string, string>> = {
  'lib/health/b.ts': `import { a } from './a.ts'; export const b = a;`,
  'lib/allocation/eligibility.ts': `import * as z from 'zod'; import type { V } from '../vector.ts'; export type P = V;`,
  'lib/vector.ts': 'export type V = number[];',
  'lib/clock.ts': 'export type C = number;',
  'lib/store/store.ts': `import { S } from '@aws-sdk/client-dynamodb'; import type { P } from '../allocation/eligibility.ts'; export const Store = S;`,
  'lib/services/fleet.ts': `import { Store } from '../store/store.ts'; export type F = typeof Store;`,
  'lib/http/answer.ts': `import type { C } from '../clock.ts'; export const etag = 1;`,
  'lib/http/routes.ts': 'export const ROUTES = [];',
  'lib/client/client.ts': `import { ROUTES } from '../http/routes.ts'; export const r = ROUTES;`,
  'lib/agent/main.ts': `import { r } from '../client/client.ts'; export const s = r;`,
  'functions/runtime.ts': `import { S } from '@aws-sdk/client-dynamodb'; export const runtime = S;`,
  'functions/status/handler.ts': `import { runtime } from '../runtime.ts'; import { etag } from '../../lib/http/answer.ts'; export const x = [runtime, etag];`,
};

describe('the rule', () => {
  let folder = '';
  let violations: readonly string[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'labscape-rule-'));
    const files = { ...BACKGROUND, ...Object.fromEntries(BREACHES.map(([, file, line]) => [file, line])) };
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    violations = cruise(folder).summary.violations.map((v) => `${v.rule.name} ${v.from}`);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test.each(BREACHES)('%s is broken by %s', (rule, file) => {
    expect(violations).toContain(`${rule} ${file}`);
  });

  test('is broken by nothing else', () => {
    const expected = new Set(BREACHES.map(([rule, file]) => `${rule} ${file}`));
    expect(
      violations.filter(
        (violation) => !expected.has(violation) && !violation.startsWith('no-cycles lib/health/'),
      ),
    ).toEqual([]);
  });
});
