import { describe, expect, test } from '@jest/globals';
import { judge } from '../../../infra/local/drill/judge.ts';
import { progressOn } from '../../../infra/local/drill/progress.ts';
import { render } from '../../../infra/local/drill/render.ts';
import { EVIDENCE, withAfter } from './fixture.ts';

const plain = (_: string, text: string) => text;

describe('what people read', () => {
  test('tells phases against budgets and that the drill has passed', () => {
    const text = render(judge(EVIDENCE), plain);
    expect(text).toMatch(/killed: north-1 with 3 allocations in 2 groups, found by detector/);
    expect(text).toMatch(/RestoreSystem +3\.0 +50 +yes +400 ms/);
    expect(text).toMatch(/0 lost, 0 pending/);
    expect(text).toMatch(/The drill has passed\./);
  });

  test('tells what is wrong, and only so much of it', () => {
    const run = judge(withAfter({ allocations: [] }));
    const many = { ...run, faults: Array.from({ length: 25 }, (_, i) => `fault ${i}`) };
    const text = render(many, plain);
    expect(text).toMatch(/4 lost/);
    expect(text).toMatch(/The drill has FAILED:\n {2}fault 0\n/);
    expect(text).toMatch(/and 5 more/);
    expect(text).not.toMatch(/passed/);
  });

  test('does not call what was never seen a thing of 0 s', () => {
    const text = render({ ...judge(EVIDENCE), faultToRunningMs: 0 }, plain);
    expect(text).toMatch(/^running +never seen, not of all$/m);
    expect(text).toMatch(/^verdict +\d+\.\d\d s after the fault$/m);
  });
});

describe('progress', () => {
  const said = (isTTY: boolean): string => {
    let text = '';
    const progress = progressOn({ isTTY, write: (part) => (text += part) });
    progress.stage('first');
    progress.count(1, 4);
    progress.stage('second');
    progress.end();
    progress.end();
    return text;
  };

  test('is a line per stage in a log', () => {
    expect(said(false)).toMatch(/^first: \d+\.\d s\nsecond: \d+\.\d s\n$/);
  });

  test('moves on a terminal, and leaves a line per stage', () => {
    const text = said(true);
    expect(text).toContain('\r\u001b[K');
    expect(text.match(/✓ (first|second)/g)).toEqual(['✓ first', '✓ second']);
  });
});
