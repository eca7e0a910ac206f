import { isIP, type Server } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import type { FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';

// The address of a client. Behind trusted proxies, it comes from X-Forwarded-For.

/**
 * Returns an address in its shortest form: IPv4 for an IPv4 address that is mapped into IPv6 (`::ffff:203.0.113.9`), without a port, as some
 * proxies append one, and without the zone of a link-local address. Undefined if the text is not an address.
 */
export function readAddress(text: string): string | undefined {
  const [withoutZone = ''] = text.trim().split('%');
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(withoutZone)?.[1];
  const ipv4 = /^(\d{1,3}(?:\.\d{1,3}){3}):\d+$/.exec(withoutZone)?.[1];
  const bare = bracketed ?? ipv4 ?? withoutZone;
  return isIP(bare) ? ipaddr.process(bare).toString() : undefined;
}

const complaintMs = 60_000;
const complainedAt = new WeakMap<Server, number>();

/** The client's address, or, if a trusted proxy sends one that cannot be read, the address of that proxy: the log then warns once a minute. */
export function addressOf(request: FastifyRequest): string | undefined {
  const address = readAddress(request.ip);
  if (address !== undefined) return address;
  const last = complainedAt.get(request.server.server) ?? Number.NEGATIVE_INFINITY;
  if (performance.now() - last > complaintMs) {
    complainedAt.set(request.server.server, performance.now());
    request.log.warn(
      'X-Forwarded-For contains no valid client address, so the proxy counts as the client. Check TRUST_PROXY and the proxy',
    );
  }
  return readAddress(request.socket.remoteAddress ?? '');
}

/** Whether an address of X-Forwarded-For is that of a trusted proxy. `hop` counts from this server. */
export type TrustProxy = false | ((address: string, hop: number) => boolean);

/**
 * @param trustProxy false, the number of proxies in front of this server, or their addresses and networks. Fastify itself ignores a number,
 *   because a caller who gets around the proxies can add any number of entries
 */
export function createTrust(trustProxy: boolean | number | string[]): TrustProxy {
  if (typeof trustProxy === 'boolean') return false;
  if (typeof trustProxy === 'number') return (_address, hop) => hop < trustProxy;
  const isTrusted = proxyAddr.compile(trustProxy);
  return (address, hop) => isTrusted(readAddress(address) ?? address, hop);
}

/**
 * Returns the networks that contain an address, each with a factor for the limit per address. A customer gets an IPv6 /64, and often a /56 or a
 * /48.
 */
export function networksOf(address: string | undefined): { network: string; factor: number }[] {
  if (address === undefined) return [{ network: 'unknown', factor: 1 }];
  const parsed = ipaddr.parse(address);
  if (parsed.kind() === 'ipv4') return [{ network: address, factor: 1 }];
  const bytes = parsed.toByteArray();
  const network = (bits: number) => `${bytes.slice(0, bits / 8).join('.')}/${bits}`;
  return [
    { network: network(64), factor: 1 },
    { network: network(56), factor: 4 },
    { network: network(48), factor: 16 },
  ];
}
