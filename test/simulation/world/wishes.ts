import type { Stream } from './chance.ts';

const CLASSES = ['critical', 'high', 'normal', 'low'] as const;
/** Classes that may pre-empt, and how many of their demands do. */
const URGENT: readonly string[] = ['critical', 'high'];
const PREEMPT = 0.6;
const NORMAL = 0.5;
const PROTECTED = 0.1;
const WAIT = 0.3;
const DEMAND_MAX = 900;
/** Of a demand that shares its group with others, and how many are. */
const DEMAND_SMALL = 60;
const SMALL = 0.75;
/** Demands that ask for devices, and those with a spread key. */
const DEVICES = 0.35;
const DEVICE_SHARES = [300, 500, 1_000] as const;
/** All devices of a host: somebody has some nearly everywhere. */
const DEVICES_URGENT = { devices: { count: 3, milli: 1_000 } };
const SPREAD = 0.2;
const SPREAD_KEYS = ['front', 'back'] as const;
/** Asked for all or nothing, of so many members. */
const GANG = 0.15;
const GANG_MEMBERS = 4;

/** Asked for at once, of one kind and one size: groups with members enough to be merged and split. */
const CROWD = 0.25;
const CROWD_MEMBERS = 6;
const CROWD_DEMAND_MAX = 300;

/** What one demand's body says. */
export type Wish = Readonly<Record<string, unknown>>;

/** Demands made at once: each alone, or all or nothing. */
export interface Wishes {
  readonly gang: boolean;
  readonly bodies: readonly Wish[];
}

const demandOf = (chance: Stream): Wish => {
  const most = chance.happens(SMALL) ? DEMAND_SMALL : DEMAND_MAX;
  const size = (): number => 1 + chance.below(most);
  return { processing: size(), memory: size(), storage: size(), network: size() };
};

const devicesOf = (chance: Stream): Wish =>
  chance.happens(DEVICES)
    ? { devices: { count: 1 + chance.below(2), milli: chance.pick(DEVICE_SHARES) } }
    : {};

const memberOf = (chance: Stream, constraints: Wish): Wish => ({
  demand: demandOf(chance),
  class: chance.happens(NORMAL) ? 'normal' : chance.pick(CLASSES),
  ...devicesOf(chance),
  ...constraints,
  ...(chance.happens(PROTECTED) ? { protected: true } : {}),
});

const crowdOf = (chance: Stream): Wishes => {
  const size = 1 + chance.below(CROWD_DEMAND_MAX);
  const demand = { processing: size, memory: size, storage: 1, network: 1 };
  const bodies = Array.from({ length: CROWD_MEMBERS }, () => ({ demand, class: 'normal' }));
  return { gang: chance.happens(0.5), bodies };
};

/** What a client asks for next. */
export const wishesOf = (chance: Stream): Wishes => {
  if (chance.happens(CROWD)) return crowdOf(chance);
  const spread = { key: chance.pick(SPREAD_KEYS), hard: chance.happens(0.5) };
  const apart = chance.happens(SPREAD);
  const constraints = apart ? { constraints: { spread } } : {};
  if (chance.happens(GANG)) {
    const members = 2 + chance.below(GANG_MEMBERS - 1);
    return { gang: true, bodies: Array.from({ length: members }, () => memberOf(chance, constraints)) };
  }
  const one = memberOf(chance, constraints);
  const urgent = URGENT.includes(String(one['class'])) && chance.happens(PREEMPT);
  const body = {
    ...one,
    ...(chance.happens(WAIT) ? { onFull: 'wait' } : {}),
    ...(urgent ? { preempt: true, ...DEVICES_URGENT } : {}),
  };
  // What must be apart comes in twos, at once.
  return { gang: false, bodies: apart && spread.hard ? [body, body] : [body] };
};
