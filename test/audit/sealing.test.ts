import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LATE_MS_MAX, WINDOW_MS } from '../../lib/audit/window.ts';
import { archiveKeys } from '../../lib/services/trail/seal-archive.ts';
import { type SealerParts, sealDue } from '../../lib/services/trail/sealing.ts';
import { lastSeal, putDraft, sealKeys } from '../../lib/store/seals.ts';
import { folderSigner, MINUTE_MS, SealingRig } from './sealing-rig.ts';

let rig: SealingRig;
beforeEach(async () => {
  rig = await SealingRig.start();
});
afterEach(() => rig.stop());

const seal = (more: Partial<SealerParts> = {}) => sealDue(rig.parts(more));

describe('the sealer', () => {
  test('seals a window five minutes after its end, once, with its events in the archive', async () => {
    const start = rig.now;
    await rig.happened('a');
    await rig.happened('b', start + 299_999);
    await rig.happened('c', start + WINDOW_MS);
    rig.now = start + 2 * WINDOW_MS - 1;
    // Nothing was before, and that is sealed; of this window nothing yet.
    expect(await seal()).toEqual({ seals: 1, events: 0, late: 0 });
    rig.now += 1;
    expect(await seal()).toEqual({ seals: 1, events: 2, late: 0 });
    expect(await seal()).toEqual({ seals: 0, events: 0, late: 0 });
    const last = await lastSeal(rig.store);
    expect(last).toMatchObject({ number: 2, from: start, to: start + WINDOW_MS, count: 2 });
    expect(await rig.sealed()).toEqual(['principal#a/1', 'principal#b/1']);
    expect(await rig.objects.list(archiveKeys.seals)).toEqual([archiveKeys.seal(1), archiveKeys.seal(2)]);
    expect(await rig.faults()).toEqual([]);
  });

  test('seals what came late with the next window, and no event twice', async () => {
    const start = rig.now;
    await rig.happened('a');
    rig.now += 2 * WINDOW_MS;
    await seal();
    await rig.happened('late', start + 1);
    await rig.happened('b', start + WINDOW_MS + 1);
    rig.now += WINDOW_MS;
    expect(await seal()).toEqual({ seals: 1, events: 2, late: 1 });
    for (let window = 0; window < 20; window += 1) {
      await rig.happened('c');
      rig.now += WINDOW_MS;
      await seal();
    }
    const sealed = await rig.sealed();
    expect(new Set(sealed).size).toBe(sealed.length);
    expect(sealed).toContain('principal#late/1');
    expect(await rig.faults()).toEqual([]);
  });

  test('finds what came hours late, and what came in a time that nothing was sealed for', async () => {
    const start = rig.now;
    await rig.happened('a');
    for (let window = 0; window < 30; window += 1) {
      await rig.happened('busy');
      rig.now += WINDOW_MS;
      await seal();
    }
    await rig.happened('late', start + 1);
    for (let window = 0; window < 30; window += 1) {
      await rig.happened('busy');
      rig.now += WINDOW_MS;
      await seal();
    }
    expect(await rig.sealed()).toContain('principal#late/1');
    expect(LATE_MS_MAX).toBeGreaterThan(24 * 60 * MINUTE_MS);
  });

  test('says once a day that nothing happened', async () => {
    await seal();
    for (let hour = 0; hour < 49; hour += 1) {
      rig.now += 60 * MINUTE_MS;
      await seal();
    }
    expect((await rig.seals()).map(({ count }) => count)).toEqual([0, 0, 0]);
    expect(await rig.faults()).toEqual([]);
  });

  test('catches up after a long pause, window by window', async () => {
    await seal();
    for (let window = 0; window < 12; window += 1)
      await rig.happened(`e${window}`, rig.now + window * WINDOW_MS);
    rig.now += 20 * WINDOW_MS;
    expect(await seal()).toEqual({ seals: 12, events: 12, late: 0 });
    expect(await rig.faults()).toEqual([]);
  });

  test('lets two at once make one chain, whoever is slower at whatever', async () => {
    let state = 7;
    /** A small generator of its own: the same pauses in every run. */
    const pause = async () => {
      state = (state * 48_271) % 2_147_483_647;
      for (let turns = state % 40; turns > 0; turns -= 1)
        await new Promise((resolve) => setImmediate(resolve));
    };
    const later = async <T>(work: () => Promise<T>): Promise<T> => {
      await pause();
      return work();
    };
    const slow = (): Partial<SealerParts> => {
      const { objects, signer } = rig.parts();
      return {
        objects: {
          put: (...args) => later(() => objects.put(...args)),
          get: (key) => later(() => objects.get(key)),
          list: (...args) => later(() => objects.list(...args)),
          remove: (key) => objects.remove(key),
        },
        signer: { keys: signer.keys, sign: (...args) => later(() => signer.sign(...args)) },
      };
    };
    for (let round = 0; round < 15; round += 1) {
      await rig.happened('a');
      await rig.happened('b');
      rig.now += 2 * WINDOW_MS;
      // One of them sees an event that the other, a moment before, did not.
      const late = rig.happened('seen-by-one', rig.now - 2 * WINDOW_MS + 1);
      await Promise.all([seal(slow()), seal(slow()), late]);
    }
    rig.now += 3 * WINDOW_MS;
    await rig.happened('end', rig.now - 2 * WINDOW_MS);
    await seal();
    expect(await rig.faults()).toEqual([]);
    const sealed = await rig.sealed();
    expect(new Set(sealed).size).toBe(sealed.length);
    expect(sealed.filter((name) => name.includes('#a/') || name.includes('#b/'))).toHaveLength(30);
  });

  test('goes on from the draft of a quicker one, which saw more', async () => {
    const start = rig.now;
    await rig.happened('a');
    rig.now += 2 * WINDOW_MS;
    const { objects } = rig.parts();
    let overtaken = false;
    const slow: SealerParts['objects'] = {
      get: (key) => objects.get(key),
      list: (...args) => objects.list(...args),
      remove: (key) => objects.remove(key),
      put: async (key, ...rest) => {
        if (key.startsWith(archiveKeys.windows) && !overtaken) {
          overtaken = true;
          await rig.happened('b', start + 1);
          await seal();
        }
        return objects.put(key, ...rest);
      },
    };
    await seal({ objects: slow });
    expect(await rig.sealed()).toEqual(['principal#a/1', 'principal#b/1']);
    // What the slower one put away is in nobody's way, and is signed by nobody.
    expect(await rig.objects.list(archiveKeys.windows)).toHaveLength(2);
    expect(await rig.objects.list(archiveKeys.seals)).toHaveLength(1);
    expect(await rig.faults()).toEqual([]);
  });

  test('finishes what another one left half done', async () => {
    await rig.happened('a');
    rig.now += 2 * WINDOW_MS;
    const dies = { signer: { ...rig.parts().signer, sign: () => Promise.reject(new Error('killed')) } };
    await expect(seal(dies)).rejects.toThrow('killed');
    await rig.happened('late', rig.now - 2 * WINDOW_MS);
    expect(await seal()).toMatchObject({ seals: 1, events: 1 });
    // And what died between the seal and its copy.
    const unarchived: SealerParts['objects'] = {
      get: (key) => rig.objects.get(key),
      list: (...args) => rig.objects.list(...args),
      remove: (key) => rig.objects.remove(key),
      put: (key, ...rest) =>
        key.startsWith(archiveKeys.seals)
          ? Promise.reject(new Error('no archive'))
          : rig.objects.put(key, ...rest),
    };
    rig.now += WINDOW_MS;
    await rig.happened('b', rig.now - WINDOW_MS - 1);
    await expect(seal({ objects: unarchived })).rejects.toThrow('no archive');
    expect(await rig.objects.list(archiveKeys.seals)).toHaveLength(1);
    await seal();
    expect(await rig.objects.list(archiveKeys.seals)).toHaveLength(2);
    expect(await rig.faults()).toEqual([]);
  });

  test('goes on with its chain in tables that were restored without seals, from the archive', async () => {
    for (let window = 0; window < 4; window += 1) {
      await rig.happened('a');
      rig.now += WINDOW_MS;
      await seal();
    }
    const before = await rig.seals();
    expect(before.length).toBeGreaterThan(2);
    await rig.forget(['seal', 'seal-draft', 'seal-key']);
    expect(await rig.seals()).toEqual([]);
    await rig.happened('b');
    rig.now += 2 * WINDOW_MS;
    await seal();
    const after = await rig.seals();
    expect(after.slice(0, before.length)).toEqual(before);
    expect(await rig.faults()).toEqual([]);
    const sealed = await rig.sealed();
    expect(new Set(sealed).size).toBe(sealed.length);
    expect(sealed).toContain('principal#b/1');
  });

  test('begins no second chain beside that of another control plane', async () => {
    await rig.happened('a');
    rig.now += 2 * WINDOW_MS;
    await seal();
    const [first] = await rig.seals();
    const foreign = { ...first, number: 2, prev: 'b'.repeat(64) };
    await rig.objects.put(archiveKeys.seal(2), Buffer.from(JSON.stringify(foreign)));
    await rig.happened('b');
    rig.now += 2 * WINDOW_MS;
    await expect(seal()).rejects.toThrow('does not follow those of the table');
    expect(await rig.seals()).toHaveLength(1);
  });

  test('signs no draft that somebody else wrote', async () => {
    await rig.happened('a');
    rig.now += 2 * WINDOW_MS;
    await seal();
    const last = await lastSeal(rig.store);
    if (last === undefined) throw new Error('nothing was sealed');
    const { hash, signature: _, ...body } = last;
    const root = 'a'.repeat(64);
    await putDraft(rig.store, { ...body, number: 2, from: last.to, to: last.to + 1, prev: hash, root });
    rig.now += WINDOW_MS;
    await expect(seal()).rejects.toThrow('not what a sealer would have written');
    expect(await rig.seals()).toHaveLength(1);
  });

  test('changes its key by a word of the old one, and stops where that one is gone', async () => {
    const at = (names: readonly string[]) => ({ signer: folderSigner(rig.keys, names) });
    const next = async (names: readonly string[]) => {
      await rig.happened('a');
      rig.now += 2 * WINDOW_MS;
      return seal(at(names));
    };
    await next(['one']);
    await next(['one', 'two']);
    await next(['one', 'two']);
    await next(['two', 'three']);
    const [first, second, third, fourth] = await rig.seals();
    expect(second).toMatchObject({ key: first?.key, next: third?.key });
    expect(third).not.toHaveProperty('next');
    expect(fourth?.next).toBeDefined();
    expect((await sealKeys(rig.store)).map(({ since }) => since)).toEqual([1, 3, 5]);
    expect(await rig.faults()).toEqual([]);
    await expect(next(['five', 'six'])).rejects.toThrow('which is not at hand');
  });

  test('cuts a window that is too busy, without a gap', async () => {
    for (let event = 0; event < 7; event += 1) await rig.happened('a', rig.now + event * 1_000);
    await rig.happened('b', rig.now + 6_000);
    rig.now += 2 * WINDOW_MS;
    await seal({ eventsMax: 3 });
    // The last two are of one millisecond.
    expect((await rig.seals()).map(({ count }) => count)).toEqual([3, 3, 2]);
    expect(new Set(await rig.sealed()).size).toBe(8);
    expect(await rig.faults()).toEqual([]);
  });
});
