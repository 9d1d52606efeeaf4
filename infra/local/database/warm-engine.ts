import { connect, type Socket } from 'node:net';

/**
 * The engine's allocator gives a run of equal blocks back to the system as soon as none of them is in use, so that every
 * large transaction maps, faults in and unmaps what the one before had: 120 system calls and 160 page faults for the
 * flip of 8 groups. One block held in each run keeps them all. Blocks are held by requests that never end: the engine
 * copies the name of every header that it does not know, and keeps it as long as the request. With it the bare flip
 * takes 5.1 to 6.7 instead of 7.5 to 8.0 ms (`npm run bench -- phases`, the same hour).
 */
const RUNS = 24;
/** Blocks between two that are held; a run has up to 32. */
const APART = 20;
/** Of what the engine takes most, bytes: its maps of attributes, lists, texts. */
const BLOCKS = [400, 448, 632, 728, 1032, 2608];
/** Blocks of each size that one request may ask for: the engine takes 100 headers. */
const AT_ONCE = 15;
/** Connections whose buffers are held besides, each at its first request's size. */
const CONNECTIONS = 64;
/** No request that is waited for has so many bytes. */
const NEVER_SENT_BYTES = 4_000;
const ANSWER_TIMEOUT_MS = 1_000;

/** Holds memory of the engine; returns how to let go of it. A connection that is refused is no harm. */
export async function warmEngine(port: number): Promise<() => void> {
  const held: Socket[] = [];
  const between: Socket[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    held.push(await unfinished(port, 1));
    for (let left = APART; left > 0; left -= AT_ONCE)
      between.push(await unfinished(port, Math.min(left, AT_ONCE)));
  }
  for (const socket of between) socket.destroy();
  held.push(...(await Promise.all(Array.from({ length: CONNECTIONS }, () => unfinished(port, 0)))));
  return () => {
    for (const socket of held) socket.destroy();
  };
}

/** A request of which the engine has all but the body: it says so, and waits. */
function unfinished(port: number, blocks: number): Promise<Socket> {
  const names = Array.from({ length: blocks }, (_, at) =>
    BLOCKS.map((bytes) => `x${at}-`.padEnd(bytes, 'x')),
  );
  const lines = [
    'POST / HTTP/1.1',
    'Host: 127.0.0.1',
    'Expect: 100-continue',
    `Content-Length: ${NEVER_SENT_BYTES}`,
    ...names.flat().map((name) => `${name}: 1`),
  ];
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (): void => {
      socket.setTimeout(0);
      socket.unref();
      resolve(socket);
    };
    socket.once('data', settle).once('error', settle).once('close', settle);
    socket.setTimeout(ANSWER_TIMEOUT_MS, settle);
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  });
}
