import { lookup as dnsLookup } from 'node:dns/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

// Requests to URLs that come from data, such as webhook endpoints. Such a URL must not reach the network of the server (server-side request forgery): a name is resolved
// once, every address must be public, and the connection goes to the address that was checked. Redirects are not followed.

const timeoutMs = 5_000;
const responseBytesMax = 64 * 1024;

/** The URL leads to where no request goes. */
export class OutboundRefused extends Error {
  override name = 'OutboundRefused';
}

export interface OutboundAnswer {
  status: number;
  /** The first 64 KiB. */
  body: string;
}

/** Posts a body. @throws OutboundRefused, or an Error if there is no answer within 5 s */
export type Outbound = (
  url: string,
  message: { headers: Record<string, string>; body: string; signal: AbortSignal },
) => Promise<OutboundAnswer>;

interface Options {
  /** Also allows http and addresses that are not public: for development. */
  allowsPrivate?: boolean;
  /** Resolves a name to all its addresses. */
  lookup?: (name: string) => Promise<string[]>;
  /** Certificates of the authority that is trusted instead of the public ones. */
  ca?: string;
}

export function createOutbound({ allowsPrivate = false, lookup = lookupAll, ca }: Options = {}): Outbound {
  return async (url, { headers, body, signal }) => {
    const target = checkOutboundUrl(url, { allowsPrivate });
    const name = target.hostname.replace(/^\[|\]$/g, '');
    const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const addresses = isIP(name) ? [name] : await orAborted(lookup(name), until);
    const [address] = addresses;
    if (!address) throw new OutboundRefused(`${name} has no address`);
    if (!allowsPrivate && !addresses.every(isPublicAddress))
      throw new OutboundRefused(`${name} does not lead to a public address`);
    const request = target.protocol === 'https:' ? requestHttps : requestHttp;
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          method: 'POST',
          host: address,
          port: target.port || undefined,
          path: `${target.pathname}${target.search}`,
          headers: { ...headers, host: target.host, 'content-length': Buffer.byteLength(body) },
          // The certificate must be that of the name.
          ...(isIP(name) ? {} : { servername: name }),
          ...(ca && { ca }),
          agent: false,
          signal: until,
        },
        (response) => {
          const chunks: Buffer[] = [];
          let size = 0;
          const end = () =>
            resolve({
              status: response.statusCode ?? 0,
              body: Buffer.concat(chunks).subarray(0, responseBytesMax).toString(),
            });
          response.on('data', (chunk: Buffer) => {
            chunks.push(chunk);
            size += chunk.length;
            if (size < responseBytesMax) return;
            end();
            response.destroy();
          });
          response.on('end', end);
          response.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  };
}

/** Checks what a URL says without resolving its name. @throws OutboundRefused */
export function checkOutboundUrl(url: string, { allowsPrivate }: { allowsPrivate: boolean }): URL {
  const target = URL.parse(url);
  if (!target) throw new OutboundRefused('is not a URL');
  if (target.protocol !== 'https:' && !(allowsPrivate && target.protocol === 'http:'))
    throw new OutboundRefused('must begin with https://');
  if (target.username || target.password) throw new OutboundRefused('must contain no username and password');
  const name = target.hostname.replace(/^\[|\]$/g, '');
  if (!allowsPrivate && isIP(name) && !isPublicAddress(name)) throw new OutboundRefused('is not a public address');
  return target;
}

/** Whether an address belongs to the public internet: not to a private network, this machine, a link, or another special purpose (RFC 6890). */
export function isPublicAddress(address: string): boolean {
  if (!isIP(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  // All global IPv6 addresses are in 2000::/3.
  return parsed.kind() === 'ipv4' || ((parsed as ipaddr.IPv6).parts[0] ?? 0) >> 13 === 1;
}

const lookupAll = async (name: string) => (await dnsLookup(name, { all: true })).map(({ address }) => address);

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}
