import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { RULE_VERSIONS } from '../../../lib/failover/rule-versions.ts';
import type { RuleSet } from '../../../lib/schemas/capsule.ts';

const ROOT = resolve(import.meta.dirname, '../../..');

/** The files whose code decides, by set. */
const FILES: Readonly<Record<RuleSet, readonly string[]>> = {
  detector: ['lib/health/detector.ts', 'lib/failover/evidence.ts'],
  safety: ['lib/failover/rules.ts'],
  fencing: ['lib/failover/fencing.ts', 'lib/services/recovery/fence-wait.ts'],
  plan: [
    'lib/failover/plan.ts',
    'lib/failover/filling.ts',
    'lib/failover/reason-tally.ts',
    'lib/services/recovery/plan-moves.ts',
    'lib/allocation/eligibility.ts',
    'lib/allocation/devices.ts',
    'lib/allocation/extras.ts',
    'lib/allocation/spread.ts',
    'lib/spread.ts',
    'lib/data-copies.ts',
    'lib/vector.ts',
  ],
};

/**
 * What the code was at its version. When this fails, look whether the rules decide otherwise now: if they do, raise the
 * version in lib/failover/rule-versions.ts; then write down what the failure shows.
 */
const KNOWN: Readonly<Record<RuleSet, readonly [version: number, code: string]>> = {
  detector: [1, 'e4819a9e140ab27a'],
  safety: [2, '7710787db31e3f4b'],
  fencing: [1, 'fb45a5763158d303'],
  plan: [2, 'd2218a80d39e7d25'],
};

/** Comments and blanks decide nothing. */
const codeOf = (file: string): string =>
  readFileSync(join(ROOT, file), 'utf8')
    .replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
    .replaceAll(/\s+/g, '');

const digest = (set: RuleSet): string =>
  createHash('sha256').update(FILES[set].map(codeOf).join('\n')).digest('hex').slice(0, 16);

test.each(Object.keys(FILES) as RuleSet[])('the %s rules are those of their version', (set) => {
  expect([RULE_VERSIONS[set], digest(set)]).toEqual(KNOWN[set]);
});
