import { expect, test } from '@jest/globals';
import { StoreUnavailable, translate } from '../../../lib/store/table/errors.ts';

const fails = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }));

test.each(['ECONNREFUSED', 'ETIMEDOUT', 'EAI_AGAIN', 'EHOSTUNREACH', 'EMFILE', 'ENFILE'])(
  'a store that cannot be asked for %s is unavailable, which is worth another try',
  async (code) => {
    await expect(translate('read', fails(code))).rejects.toThrow(StoreUnavailable);
  },
);

test('an error of our own stays what it is', async () => {
  await expect(translate('read', fails('ERR_INVALID_ARG_TYPE'))).rejects.not.toThrow(StoreUnavailable);
});
