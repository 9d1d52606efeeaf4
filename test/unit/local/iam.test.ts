import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { evaluate, Statement } from '../../../infra/local/functions/iam.ts';

const word = fc.stringMatching(/^[A-Za-z]{1,8}$/);
const action = fc.tuple(word, word).map(([service, name]) => `${service}:${name}`);
const resource = fc.array(word, { minLength: 2, maxLength: 5 }).map((parts) => `arn:aws:${parts.join(':')}`);
const statement = (effect: 'Allow' | 'Deny', Action: string[], Resource: string[]): Statement => ({
  Effect: effect,
  Action,
  Resource,
});
const anyStatement = fc
  .record({
    Effect: fc.constantFrom('Allow' as const, 'Deny' as const),
    Action: fc.array(fc.oneof(action, fc.constant('*')), { minLength: 1, maxLength: 3 }),
    Resource: fc.array(fc.oneof(resource, fc.constant('*')), { minLength: 1, maxLength: 3 }),
  })
  .map((s): Statement => s);

describe('policy evaluation', () => {
  test('denies what no statement names', () => {
    fc.assert(
      fc.property(action, resource, (a, r) => {
        expect(evaluate([], a, r)).toBe('implicit-deny');
      }),
    );
  });

  test('an explicit deny wins, wherever it stands', () => {
    fc.assert(
      fc.property(fc.array(anyStatement), fc.nat(), action, resource, (others, at, a, r) => {
        const statements = others.toSpliced(at % (others.length + 1), 0, statement('Deny', [a], [r]));
        expect(evaluate([...statements, statement('Allow', ['*'], ['*'])], a, r)).toBe('explicit-deny');
      }),
    );
  });

  test('the order of statements does not matter', () => {
    fc.assert(
      fc.property(fc.array(anyStatement), action, resource, (statements, a, r) => {
        expect(evaluate(statements.toReversed(), a, r)).toBe(evaluate(statements, a, r));
      }),
    );
  });

  test('an allow for one resource says nothing about another', () => {
    fc.assert(
      fc.property(action, resource, resource, (a, one, other) => {
        fc.pre(one !== other);
        expect(evaluate([statement('Allow', [a], [one])], a, other)).toBe('implicit-deny');
      }),
    );
  });

  test('a star stands for any text, slashes and nothing included', () => {
    fc.assert(
      fc.property(action, resource, fc.stringMatching(/^[a-z/]{0,10}$/), (a, r, tail) => {
        expect(evaluate([statement('Allow', [a], [`${r}*`])], a, r + tail)).toBe('allowed');
      }),
    );
  });

  test('actions are compared without case, resources with it', () => {
    const statements = [statement('Allow', ['dynamodb:GetItem'], ['arn:aws:a'])];
    expect(evaluate(statements, 'DYNAMODB:getitem', 'arn:aws:a')).toBe('allowed');
    expect(evaluate(statements, 'dynamodb:GetItem', 'arn:aws:A')).toBe('implicit-deny');
  });

  test('a pattern is no regular expression', () => {
    expect(evaluate([statement('Allow', ['a:b'], ['arn:x.y'])], 'a:b', 'arn:xzy')).toBe('implicit-deny');
    expect(evaluate([statement('Allow', ['a:b'], ['arn:x?y'])], 'a:b', 'arn:xzy')).toBe('allowed');
  });

  test('a table does not include its indexes', () => {
    const table = 'arn:aws:dynamodb:us-east-1:0:table/state';
    const statements = [statement('Allow', ['dynamodb:Query'], [table])];
    expect(evaluate(statements, 'dynamodb:Query', `${table}/index/find`)).toBe('implicit-deny');
  });

  test('a statement with a condition never allows, and always denies', () => {
    const condition = { Condition: { StringEquals: { 'aws:x': 'y' } }, Action: ['*'], Resource: ['*'] };
    expect(evaluate([{ Effect: 'Allow', ...condition }], 'a:b', 'c')).toBe('implicit-deny');
    expect(evaluate([{ Effect: 'Deny', ...condition }, statement('Allow', ['*'], ['*'])], 'a:b', 'c')).toBe(
      'explicit-deny',
    );
  });

  test('refuses to read a statement that says what it does not cover', () => {
    const exclusive = { Effect: 'Allow', NotAction: 'a:b', Resource: '*' };
    expect(Statement.safeParse(exclusive).success).toBe(false);
  });
});
