import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Starts a TCP proxy whose connections can be cut or go silent. */
export async function startProxy(target: { host: string; port: number }, { port = 0 } = {}) {
  const sockets = new Set<Socket>();
  let isSilent = false;
  let forwards = () => true;
  let currentTarget = target;
  const server = createServer((near) => {
    const far = connect(currentTarget);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        // Bytes sent meanwhile are lost, as behind a firewall that dropped the connection's state.
        if (!isSilent && forwards()) to.write(bytes);
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
    /** Stops forwarding, without closing connections. */
    fallSilent: () => {
      isSilent = true;
    },
    /** Asks before each message whether to forward it. */
    filter: (isForwarded: () => boolean) => {
      forwards = isForwarded;
    },
    /** Leads new connections elsewhere. Keeps those that exist. */
    moveTo: (next: { host: string; port: number }) => {
      currentTarget = next;
    },
    /** Accepts new connections again. Cuts those that went silent. */
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

/** Returns the same URL with another port on this machine. */
export const viaPort = (url: string, port: number) => Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href;
