import { spawn } from 'node:child_process';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { RunLine } from '../../../infra/local/drill/drill-run.ts';

const MAIN = path.resolve(import.meta.dirname, '../../../infra/local/drill/main.ts');

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function drill(...argv: string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [MAIN, ...argv], {
      // Jest's flags are not for this process.
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

describe('npm run drill', () => {
  test('says how it is used', async () => {
    // Also whoever has no token for what they want to read about.
    const { code, out } = await drill('--api', 'https://api.example.com', '--help');
    expect(code).toBe(0);
    expect(out).toMatch(/--allocations N/);
  });

  test('exits with 2 and the reason when asked for what it cannot do', async () => {
    const { code, out, err } = await drill('--groups', '99', '--json');
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/--groups must be from 1 to 24/);
  });

  test('exits with 2 and the usage where a token would travel in clear, and never shows it', async () => {
    const { code, out, err } = await drill('--api', 'http://api.example.com', '--token', 'secret-token');
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/--api must be https.*\n\nnpm run drill/);
    expect(err).not.toContain('secret-token');
  });

  test('exits with 1 and a sentence where nobody answers', async () => {
    // Port 1 is taken by nothing that a test machine runs.
    const { code, out, err } = await drill('--api', 'http://127.0.0.1:1', '--token', 'any', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({ runs: [], error: expect.stringMatching(/^nobody answers at http/) });
    expect(err).not.toMatch(/^\s+at /m);
  });

  test('rehearses a small failover whole: nothing lost, one transaction, all runs again, then balances it', async () => {
    // A lease that a machine busy with other tests can keep.
    const { code, out, err } = await drill(
      ...[
        '--allocations',
        '60',
        '--groups',
        '2',
        '--resources',
        '6',
        '--lease-ms',
        '6000',
        '--trigger',
        'detector',
        '--strategy',
        'weighted-round-robin',
        '--rebalance',
        '--json',
      ],
    );
    expect([code, err]).toEqual([0, expect.stringMatching(/The drill has passed/)]);
    const { runs }: { runs: RunLine[] } = JSON.parse(out);
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({
      ...{ trigger: 'detector', allocations: 60, pending: 0, lost: 0, failoverTransactions: 1 },
      ...{ auditVerified: true, invariants: 'held', strategy: 'weighted-round-robin' },
      rebalance: { goal: 'lower-maximum', lost: 0, pending: 0 },
    });
    // The host that returned is empty.
    expect(runs[0]?.rebalance?.moved).toBeGreaterThan(0);
    expect(runs[0]?.rebalance?.after.max).toBeLessThan(runs[0]?.rebalance?.before.max ?? 0);
    expect(runs[0]?.moved).toBeGreaterThanOrEqual(9);
    expect(runs[0]?.phases.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['Detect', 'Initiate', 'Failover', 'ValidateCompletely', 'Close']),
    );
  });
});
