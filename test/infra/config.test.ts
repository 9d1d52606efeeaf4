import { describe, expect, test } from '@jest/globals';
import { loadStage, parseStage } from '../../infra/config.ts';

const good = { stage: 'prod', issuer: 'https://id.example.com', audience: 'labscape' };

describe('stage configuration', () => {
  test.each([
    'https://localhost',
    'https://localhost.',
    'https://api.localhost/x',
    'https://127.0.0.1:8443',
    'https://127.1',
    'https://2130706433',
    'https://0.0.0.0',
    'https://[::1]',
    'https://[::ffff:127.0.0.1]',
  ])('a deployed stage refuses the loopback issuer %s', (issuer) => {
    expect(() => parseStage({ ...good, issuer })).toThrow('is a loopback address');
    expect(() => parseStage({ ...good, stage: 'test', issuer })).toThrow('is a loopback address');
  });

  test('a deployed stage refuses an issuer without TLS', () => {
    expect(() => parseStage({ ...good, issuer: 'http://id.example.com' })).toThrow('must be https');
  });

  test('the local stage may trust a loopback issuer', () => {
    const config = parseStage({ ...good, stage: 'local', issuer: 'http://127.0.0.1/x' });
    expect(config.disposable).toBe(true);
  });

  test('only the stages local and test may lose their data', () => {
    expect(parseStage(good).disposable).toBe(false);
    expect(parseStage({ ...good, stage: 'test' }).disposable).toBe(true);
  });

  test('names every field that is wrong', () => {
    const wrong = { stage: 'prod', issuer: 'no url', audience: '', extra: 1 };
    expect(() => parseStage(wrong)).toThrow(/issuer .*audience .*extra/s);
  });

  test('takes a stage from the context, and issuer and audience over it', () => {
    const context: Record<string, unknown> = {
      stage: 'prod',
      stages: { prod: { issuer: 'https://a.example', audience: 'a', logLevel: 'WARN' } },
      audience: 'b',
    };
    const config = loadStage((key) => context[key]);
    expect(config).toMatchObject({ issuer: 'https://a.example', audience: 'b', logLevel: 'WARN' });
  });
});
