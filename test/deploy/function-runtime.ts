import fs, { type PathOrFileDescriptor } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Loaded before every function that the emulator runs (`NODE_OPTIONS=--import`), for what Lambda's runtime does and
 * the emulator's does not.
 */

const MOUNT = '/opt/';

/** The emulator unpacks a layer somewhere and names only its `nodejs/node_modules`: Lambda mounts it at /opt. */
const layers = (process.env['NODE_PATH'] ?? '')
  .split(':')
  .filter((path) => path.endsWith('/nodejs/node_modules'))
  .map((path) => dirname(dirname(path)));

const readFileSync = fs.readFileSync;
const unmounted = (path: PathOrFileDescriptor): PathOrFileDescriptor => {
  if (typeof path !== 'string' || !path.startsWith(MOUNT)) return path;
  const inside = path.slice(MOUNT.length);
  return layers.map((layer) => join(layer, inside)).find((file) => fs.existsSync(file)) ?? path;
};
fs.readFileSync = ((path: PathOrFileDescriptor, ...rest: [undefined]) =>
  readFileSync(unmounted(path), ...rest)) as typeof readFileSync;
syncBuiltinESMExports();

/** Lambda reports an error by its name; the emulator hands on the stack alone, which begins with the class's first name. */
Error.prepareStackTrace = (error, frames) =>
  [`${error.name}: ${error.message}`, ...frames.map((frame) => `    at ${frame}`)].join('\n');
