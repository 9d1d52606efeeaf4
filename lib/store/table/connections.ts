import { Agent } from 'node:http';
import { Agent as SecureAgent } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * Ends a connection that is not made within `ms`, with the system's own word for it. A process that stood still hears of
 * its time being out before it hears that the connection was made: it looks once more before it gives up.
 */
const bounded = <T extends Duplex | null | undefined>(made: T, ms: number): T => {
  const socket = made as Socket | null | undefined;
  if (socket?.connecting !== true) return made;
  const giveUp = (): void => {
    if (!socket.connecting) return;
    const error = new Error(`no connection within ${ms} ms`);
    socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
  };
  const timer = setTimeout(() => setImmediate(giveUp), ms);
  const settle = (): void => clearTimeout(timer);
  socket.once('connect', settle).once('close', settle);
  return made;
};

/** Plain and secure agents alike: the same bound on whatever connection they make. */
const boundedAgent = <A extends Agent>(agent: A, ms: number): A => {
  const create = agent.createConnection.bind(agent);
  agent.createConnection = (...given) => bounded(create(...given), ms);
  return agent;
};

/** As many as the SDK would keep. */
const POOL = { keepAlive: true, maxSockets: 50 } as const;

/**
 * The connections of one client, each of which must be made within `connectMs`. The SDK's own bound runs from the request
 * on: where all connections are in use, it takes the wait for one of them for a host that nobody reaches.
 */
export const connections = (connectMs: number): { httpAgent: Agent; httpsAgent: SecureAgent } => ({
  httpAgent: boundedAgent(new Agent(POOL), connectMs),
  httpsAgent: boundedAgent(new SecureAgent(POOL), connectMs),
});
