import { paintFor } from '../../../lib/cli/paint.ts';
import { replayCapsule } from '../../../lib/services/recovery/replay.ts';
import { understood } from '../../usage.ts';
import { HostError } from '../errors.ts';
import { readArguments, USAGE } from './options.ts';
import { render } from './render.ts';
import { capsuleFrom } from './sources.ts';

const EXIT_FAILED = 1;

/** Makes the decisions of a recovery again; the exit code. */
const main = async (): Promise<number> => {
  const asked = understood(USAGE, (argv) => readArguments(argv, process.env));
  if (typeof asked === 'number') return asked;
  try {
    const replayed = replayCapsule(await capsuleFrom(asked.recovery, asked.source));
    const { stdout, env } = process;
    stdout.write(
      asked.json ? `${JSON.stringify(replayed)}\n` : render(replayed, paintFor(stdout.isTTY, env)),
    );
    return replayed.identical ? 0 : EXIT_FAILED;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT_FAILED;
  }
};

process.exitCode = await main();
