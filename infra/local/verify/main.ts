import { readFileSync } from 'node:fs';
import { keyFromText, type PublicSealKey } from '../../../lib/audit/seal-key.ts';
import { paintFor } from '../../../lib/cli/paint.ts';
import { understood } from '../../usage.ts';
import { asError, HostError } from '../errors.ts';
import { readArguments, USAGE } from './options.ts';
import { render } from './render.ts';
import { verifyFolder } from './verify-folder.ts';

const EXIT_FAULTS = 1;

const readKey = (path: string): PublicSealKey => {
  try {
    return keyFromText(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new HostError(`${path} is no Ed25519 public key: ${asError(error).message}`);
  }
};

/** On a terminal one line that changes, else one line per kind of work. */
const progressTo = (stream: NodeJS.WriteStream): ((text: string) => void) => {
  let said = '';
  return (text) => {
    const [what = ''] = text.split(':');
    if (stream.isTTY) stream.write(`\r\x1b[K${text}`);
    else if (what !== said) stream.write(`${what}\n`);
    said = what;
  };
};

/** Verifies a data folder offline; the exit code. */
const main = async (): Promise<number> => {
  const asked = understood(USAGE, readArguments);
  if (typeof asked === 'number') return asked;
  const { stdout, stderr, env } = process;
  try {
    const publicKey = asked.keyFile === undefined ? undefined : readKey(asked.keyFile);
    const progress = progressTo(stderr);
    const result = await verifyFolder({ dataDir: asked.dataDir, publicKey, pruned: asked.pruned, progress });
    if (stderr.isTTY) stderr.write('\r\x1b[K');
    stdout.write(asked.json ? `${JSON.stringify(result)}\n` : render(result, paintFor(stdout.isTTY, env)));
    return result.verified ? 0 : EXIT_FAULTS;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    stderr.write(`${error.message}\n`);
    return EXIT_FAULTS;
  }
};

process.exitCode = await main();
