import { expect, test } from '@jest/globals';
import type { Candidate } from '../../../lib/allocation/candidate.ts';
import { FleetIndex } from '../../../lib/allocation/fleet-index.ts';
import { STRATEGIES } from '../../../lib/allocation/strategies/registry.ts';
import { ZERO } from '../../../lib/vector.ts';
import { even } from '../../api/rig.ts';

/** More than an index remembers. */
const PROFILES = 700;

const labelled = (id: string, n: number): Candidate => ({
  ...{ id, labscape: 'north', status: 'healthy', labels: { n: String(n) }, cfg: 1, epoch: 1, groups: [] },
  ...{ capacity: even(100), limit: even(80), fill: even(70), used: ZERO },
});

test('a profile that was forgotten, and one that is remembered, admit what fits them now', () => {
  const index = new FleetIndex();
  const strategy = STRATEGIES['least-loaded'](index);
  const wears = new Map<string, number>();
  const put = (id: string, n: number): void => {
    wears.set(id, n);
    index.put(labelled(id, n));
  };
  for (let at = 0; at < 8; at += 1) put(`r${at}`, at);
  // Each is asked for now and then, the first few all the time; resources change what they wear meanwhile.
  for (let round = 0; round < 4 * PROFILES; round += 1) {
    const n = round % 3 === 0 ? round % 5 : (round * 11) % PROFILES;
    if (round % 7 === 0) put(`r${round % 8}`, (round * 13) % PROFILES);
    const wish = {
      demand: even(1),
      constraints: { labels: { n: String(n) } },
      purpose: 'placement',
      kind: 'n',
    } as const;
    const chosen = strategy.choose({ ...wish, most: 8 }, () => 0).map(({ candidate }) => candidate.id);
    const fitting = [...wears].filter(([, worn]) => worn === n).map(([id]) => id);
    expect([n, chosen.toSorted()]).toEqual([n, fitting.toSorted()]);
  }
});
