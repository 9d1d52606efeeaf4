import { createServer, type Server } from 'node:http';
import { HostError } from '../errors.ts';

/** Listens on the loopback interface only; port 0 takes a free one. Returns the port. */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE')
        reject(
          new HostError(`Port ${port} is in use: stop what listens there, or choose another with --port.`),
        );
      else if (error.code === 'EACCES')
        reject(new HostError(`Port ${port} may not be used: choose one above 1024.`));
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** Stops listening and cuts what is open: callers that keep connections alive would hold it up for ever. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Says at once what `listen` would say after the rest of the start. */
export async function refuseIfTaken(port: number): Promise<void> {
  if (port === 0) return;
  const probe = createServer();
  await listen(probe, port);
  await closeServer(probe);
}
