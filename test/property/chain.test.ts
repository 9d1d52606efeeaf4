import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { groupByEntity, verifyChain } from '../../lib/audit/chain.ts';
import { type ChainHead, EMPTY_CHAIN, hashEvent, headOf, nextEvent } from '../../lib/audit/event.ts';
import type { AuditEvent } from '../../lib/schemas/audit.ts';
import { RUNS } from './arbitraries.ts';

const ENTITY = 'resource#r1';
const body = fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });
const step = fc.record({ type: fc.stringMatching(/^[a-z]{1,9}$/), at: fc.nat(), actor: fc.string(), body });

interface Chain {
  readonly events: readonly AuditEvent[];
  readonly head: ChainHead;
}

const build = (
  entity: string,
  steps: readonly { type: string; at: number; actor: string; body: object }[],
): Chain => {
  const events: AuditEvent[] = [];
  let head = EMPTY_CHAIN;
  for (const { type, at, actor, body: said } of steps) {
    const event = nextEvent(entity, head, { actor, at, request: 'r' }, type, { ...said });
    events.push(event);
    head = headOf(event);
  }
  return { events, head };
};

const chain = (least: number) =>
  fc.array(step, { minLength: least, maxLength: 12 }).map((steps) => build(ENTITY, steps));
const found = (events: readonly AuditEvent[], head: ChainHead) =>
  verifyChain(ENTITY, events, head).length > 0;

test('a chain that nobody touched has no faults', () => {
  fc.assert(
    fc.property(chain(0), ({ events, head }) => {
      expect(verifyChain(ENTITY, events, head)).toEqual([]);
      expect(verifyChain(ENTITY, events)).toEqual([]);
      // The store gives numbers and texts back as JSON does.
      expect(verifyChain(ENTITY, JSON.parse(JSON.stringify(events)), head)).toEqual([]);
    }),
    RUNS,
  );
});

const EDITS: Readonly<Record<string, (event: AuditEvent) => AuditEvent>> = {
  type: (event) => ({ ...event, type: `${event.type}x` }),
  at: (event) => ({ ...event, at: event.at + 1 }),
  actor: (event) => ({ ...event, actor: `${event.actor}x` }),
  request: (event) => ({ ...event, request: `${event.request}x` }),
  body: (event) => ({ ...event, body: { ...event.body, added: 1 } }),
  prev: (event) => ({ ...event, prev: event.hash }),
  hash: (event) => ({ ...event, hash: event.prev }),
  entity: (event) => ({ ...event, entity: 'resource#r2' }),
  rev: (event) => ({ ...event, rev: event.rev + 1 }),
};
const edit = fc.constantFrom(...Object.keys(EDITS));

test('an edit of any field of any event is found', () => {
  fc.assert(
    fc.property(chain(1), edit, fc.nat(), ({ events, head }, field, n) => {
      const at = n % events.length;
      const change = EDITS[field];
      const edited = events.map((event, i) => (i === at ? (change?.(event) ?? event) : event));
      expect(found(edited, head)).toBe(true);
    }),
    RUNS,
  );
});

test('an edit whose hash was made to fit is found by what comes after, or by the head', () => {
  fc.assert(
    fc.property(chain(1), fc.nat(), ({ events, head }, n) => {
      const at = n % events.length;
      const forged = events.map((event, i) => {
        if (i !== at) return event;
        const said = { ...event, body: { ...event.body, forged: true } };
        return { ...said, hash: hashEvent(said) };
      });
      expect(found(forged, head)).toBe(true);
    }),
    RUNS,
  );
});

test('a whole tail that was written anew is found by the head', () => {
  fc.assert(
    fc.property(chain(1), fc.nat(), ({ events, head }, n) => {
      const at = n % events.length;
      const other = build(
        ENTITY,
        events.map(({ type, at: when, actor, body: said }, i) => ({
          ...{ at: when, actor, type: i >= at ? `${type}x` : type },
          body: said,
        })),
      );
      expect(verifyChain(ENTITY, other.events, other.head)).toEqual([]);
      expect(found(other.events, head)).toBe(true);
    }),
    RUNS,
  );
});

test('a removal anywhere is found, and so is a chain cut off or emptied', () => {
  fc.assert(
    fc.property(chain(1), fc.nat(), fc.integer({ min: 1, max: 12 }), ({ events, head }, n, count) => {
      const at = n % events.length;
      const kept = [...events.slice(0, at), ...events.slice(at + count)];
      expect(found(kept, head)).toBe(true);
      expect(verifyChain(ENTITY, events.slice(0, at), head).some(({ fault }) => fault === 'truncated')).toBe(
        true,
      );
    }),
    RUNS,
  );
});

test('two events that changed places, or one that stands twice, are found', () => {
  fc.assert(
    fc.property(chain(2), fc.nat(), fc.nat(), ({ events, head }, a, b) => {
      const [from, to] = [a % events.length, b % events.length];
      const moved = events.map((event, i) => (i === from ? events[to] : i === to ? events[from] : event));
      if (from !== to)
        expect(
          found(
            moved.filter((e) => e !== undefined),
            head,
          ),
        ).toBe(true);
      const twice = events.flatMap((event, i) => (i === from ? [event, event] : [event]));
      expect(verifyChain(ENTITY, twice, head).some(({ fault }) => fault === 'reordered')).toBe(true);
    }),
    RUNS,
  );
});

test('an event of somebody else, or one more than the entity knows of, is found', () => {
  fc.assert(
    fc.property(chain(1), chain(1), fc.nat(), ({ events, head }, stranger, n) => {
      const at = n % events.length;
      const foreign = stranger.events.slice(0, 1).map((event) => ({ ...event, entity: 'resource#r9' }));
      expect(found([...events.slice(0, at), ...foreign, ...events.slice(at)], head)).toBe(true);
      const more = nextEvent(ENTITY, head, { actor: 'x', request: 'x', at: 1 }, 'more', {});
      expect(found([...events, more], head)).toBe(true);
    }),
    RUNS,
  );
});

test('events of many entities, mixed, are sorted into their chains', () => {
  fc.assert(
    fc.property(chain(1), fc.array(step, { minLength: 1, maxLength: 6 }), ({ events, head }, steps) => {
      const other = build('tenant#t', steps);
      const mixed = [...other.events, ...events].sort((a, b) => (a.hash < b.hash ? -1 : 1));
      const chains = groupByEntity(mixed);
      expect(verifyChain(ENTITY, chains.get(ENTITY) ?? [], head)).toEqual([]);
      expect(verifyChain('tenant#t', chains.get('tenant#t') ?? [], other.head)).toEqual([]);
    }),
    RUNS,
  );
});
