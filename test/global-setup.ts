import { synthesise } from '../infra/local/template/synthesise.ts';

/** Once for all test files, and with no hook's time running: each that starts a host would wait for it otherwise. */
export default async (): Promise<void> => {
  await synthesise();
};
