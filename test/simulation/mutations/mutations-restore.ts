import { hashEvent } from '../../../lib/audit/event.ts';
import { decodeEvent } from '../../../lib/store/events.ts';
import { type Item, N, S } from '../../../lib/store/table/attributes.ts';
import { RESTORES } from '../invariants/invariants-restore.ts';
import { editing, type Writes } from './mutation-wire.ts';
import type { Mutation } from './mutations.ts';

/** No group or resource gets so far by itself. */
const RAISED = 1_000_000;
const EPOCH = /"epoch":(\d+)/g;

const isRestore = (by: string): boolean => by.startsWith(RESTORES);

/** What a restore writes of resources and groups, at the epoch that follows the first. */
const withoutRaise = ({ puts }: Writes, by: string): void => {
  if (!isRestore(by)) return;
  const items = puts.flatMap(({ Item }) => (Item === undefined ? [] : [Item]));
  const isRaised = (item: Item): boolean => Number(item['epoch']?.N) > RAISED;
  for (const item of items) if (item['entity'] === undefined && isRaised(item)) item['epoch'] = N(2);
  for (const item of items) {
    const told = item['body']?.S;
    if (item['entity'] === undefined || told === undefined || !told.includes('"epoch":')) continue;
    const body = told.replaceAll(EPOCH, (all, epoch) => (Number(epoch) > RAISED ? '"epoch":2' : all));
    item['body'] = S(body);
    const { hash, ...event } = decodeEvent(item);
    const rehashed = hashEvent(event);
    item['hash'] = S(rehashed);
    for (const other of items) if (other['head']?.S === hash) other['head'] = S(rehashed);
  }
};

/** What is brought back from backups. */
export const RESTORE_MUTATIONS: readonly Mutation[] = [
  {
    // What was given out after the backup is given out again.
    name: 'epochs not raised at a restore',
    invariant: 1,
    faultFactor: 4,
    mutate: () => ({ request: editing(withoutRaise) }),
  },
  {
    // The fold that a restore puts things right by knows of no release.
    name: 'releases left out of a restore',
    invariant: 20,
    faultFactor: 4,
    mutate: () => ({
      answer: (request, answer, by) => {
        if (!isRestore(by) || request.operation !== 'Scan') return answer;
        const page: { Items?: Item[] } = JSON.parse(answer.body);
        const Items = (page.Items ?? []).filter(({ type }) => type?.S !== 'allocation.released');
        return { ...answer, body: JSON.stringify({ ...page, Items }) };
      },
    }),
  },
];
