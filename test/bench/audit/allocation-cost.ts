import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { bareWrites } from '../bare-allocation.ts';
import { BareTable } from '../bare-table.ts';
import { itemBytes, writeUnits } from '../cost/item-size.ts';
import { PRICES } from '../cost/prices.ts';
import { type Figure, figureOf, percentile } from '../figures.ts';
import { setUpFleet, startBench, vector } from '../rig.ts';

const ROUNDS = 1_500;
const WARM_UP = 200;
const MILLION = 1_000_000;
const LABSCAPE = 'lab';
const HOSTS = Array.from({ length: 12 }, (_, index) => `bare-${index}`);

/** The index by time, which holds events whole. */
const BY_TIME = { keys: ['day', 'timeSk'], whole: true };

/** An allocation's transaction as it is, and the same without its event, in turn, so that drift hits both. */
export const allocationCost = async (progress: (text: string) => void): Promise<readonly Figure[]> => {
  const bench = await startBench();
  try {
    await setUpFleet(bench, LABSCAPE, new Map(HOSTS.map((id) => [id, vector(10_000_000)])));
    const bare = new BareTable(bench);
    const writesOf = await bareWrites(bench, bare, LABSCAPE, HOSTS);
    const isEvent = ({ Put }: TransactWriteItem): boolean => Put?.TableName === bare.audit;
    const [withEvent, without]: [number[], number[]] = [[], []];
    let event: TransactWriteItem | undefined;
    let items = 0;
    for (let round = 0; round < 2 * (ROUNDS + WARM_UP); round += 1) {
      if (round % 100 === 0) progress(`audit: ${round} of ${2 * (ROUNDS + WARM_UP)} transactions`);
      const writes = writesOf(round);
      event = writes.find(isEvent);
      items = writes.length;
      const audited = round % 2 === 0;
      const ms = await bare.transact(audited ? writes : writes.filter((write) => !isEvent(write)));
      if (round >= 2 * WARM_UP) (audited ? withEvent : without).push(ms);
    }
    const item = event?.Put?.Item ?? {};
    const units = writeUnits(undefined, item, [BY_TIME], true);
    const median = (samples: readonly number[]) =>
      percentile(
        [...samples].sort((a, b) => a - b),
        0.5,
      );
    const ms = Math.round((median(withEvent) - median(without)) * 1_000) / 1_000;
    const dollars = Math.round(units * PRICES.writeUnit * MILLION * 100) / 100;
    const one = (name: string, value: number, unit: string, extra: object = {}): Figure => ({
      ...{ name, unit, n: withEvent.length, p50: value, p99: value, value },
      ...extra,
    });
    const [asIs, bareOf] = [
      figureOf('allocation, with its event', withEvent),
      figureOf('allocation, without', without),
    ];
    return [
      { ...asIs, value: asIs.p50 },
      { ...bareOf, value: bareOf.p50 },
      one('audit of an allocation', ms, 'ms', { ratio: Math.round((ms / median(without)) * 100) / 100 }),
      one('audit of an allocation, items', 1, 'items', { of: items, bytes: itemBytes(item) }),
      one('audit of a million writes', dollars, '$', {
        ...{ writeUnits: units, prices: `${PRICES.region}, ${PRICES.asOf}` },
      }),
    ];
  } finally {
    await bench.stop();
  }
};
