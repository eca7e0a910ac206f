import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A way to a server that can be cut, and that can fall silent. */
export async function startProxy(target: { host: string; port: number }, { port = 0 } = {}) {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const server = createServer((near) => {
    const far = connect(target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        // What was sent meanwhile is lost, as behind a firewall that has forgotten the connection.
        if (!isSilent) to.write(bytes);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    /** From now on nothing is forwarded, and nothing closed. */
    fallSilent: () => {
      isSilent = true;
    },
    /** What is new gets through again; connections from before stay silent for ever, and are cut. */
    recover: () => {
      for (const socket of sockets) socket.destroy();
      isSilent = false;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** The same URL, by way of another port of this machine. */
export const viaPort = (url: string, port: number) => Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href;
