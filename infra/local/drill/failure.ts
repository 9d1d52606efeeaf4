import { UsageError } from '../../usage.ts';

/** What a drill lets fail: so many resources, or so many labscapes with all they have. */
export interface Failure {
  readonly of: 'resource' | 'labscape';
  readonly count: number;
}

/** `resource`, `resources:3`, `labscape` or `labscapes:2`. Throws UsageError. */
export function readFailure(text: string): Failure {
  const [, of, count = '1'] = /^(resource|labscape)(?:s:([1-9]\d?))?$/.exec(text) ?? [];
  if (of !== 'resource' && of !== 'labscape')
    throw new UsageError('--fail must be resource, resources:N, labscape or labscapes:N');
  return { of, count: Number(count) };
}

export const failureText = ({ of, count }: Failure): string =>
  count === 1 ? `one ${of}` : `${count} ${of}s`;

interface Holder {
  readonly id: string;
  readonly labscape: string;
  /** Allocations. */
  readonly count: number;
}

/** The resources that fail: the fullest ones, or all of the labscapes that hold most; the smaller id at a tie. Pure. */
export function victimsOf(holders: readonly Holder[], { of, count }: Failure): readonly string[] {
  const most = <T extends Pick<Holder, 'id' | 'count'>>(all: readonly T[]): readonly T[] =>
    [...all].sort((a, b) => b.count - a.count || (a.id < b.id ? -1 : 1)).slice(0, count);
  if (of === 'resource') return most(holders).map(({ id }) => id);
  const labscapes = [...Map.groupBy(holders, ({ labscape }) => labscape)].map(([id, own]) => ({
    id,
    count: own.reduce((sum, one) => sum + one.count, 0),
  }));
  const lost = new Set(most(labscapes).map(({ id }) => id));
  return holders.filter(({ labscape }) => lost.has(labscape)).map(({ id }) => id);
}
