import { lookup as lookupWithHosts, Resolver } from 'node:dns/promises';
import { request as requestHttp } from 'node:http';
import { type RequestOptions, request as requestHttps } from 'node:https';
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

interface OutboundAnswer {
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
  lookup?: (name: string, signal: AbortSignal) => Promise<string[]>;
  /** Certificates of the authority that is trusted instead of the public ones. */
  ca?: string;
}

export function createOutbound({
  allowsPrivate = false,
  lookup = allowsPrivate ? resolveLocal : resolve,
  ca,
}: Options = {}): Outbound {
  return async (url, { headers, body, signal }) => {
    const target = checkOutboundUrl(url, { allowsPrivate });
    const name = target.hostname.replace(/^\[|\]$/g, '');
    const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const addresses = isIP(name) ? [name] : await orAborted(lookup(name, until), until);
    if (addresses.length === 0) throw new OutboundRefused(`${name} has no address`);
    if (!allowsPrivate && !addresses.every(isPublicAddress))
      throw new OutboundRefused(`${name} does not lead to a public address`);
    const checked = addresses.map((address) => ({ address, family: isIP(address) }));
    const request = target.protocol === 'https:' ? requestHttps : requestHttp;
    const options: RequestOptions = {
      method: 'POST',
      host: name,
      // The addresses that were checked, one after another until one answers.
      lookup: (_name, { all }, done) => {
        const [first = { address: '', family: 4 }] = checked;
        if (all) done(null, checked);
        else done(null, first.address, first.family);
      },
      ...(target.port && { port: target.port }),
      path: `${target.pathname}${target.search}`,
      headers: { ...headers, host: target.host, 'content-length': Buffer.byteLength(body) },
      ...(ca && { ca }),
      agent: false,
      signal: until,
    };
    const answered = new Promise<OutboundAnswer>((resolve, reject) => {
      const outgoing = request(options, (response) => {
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
      });
      outgoing.on('error', reject);
      // An answer that switches protocols is no answer, and closes without an error.
      outgoing.on('upgrade', (_response, socket) => socket.destroy());
      outgoing.on('close', () => reject(new Error('the connection was closed without an answer')));
      outgoing.end(body);
    });
    return orAborted(answered, until);
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

/** Asks the name servers. Not the resolver of the system, because its few threads also hash passwords, and it cannot be cancelled. */
async function resolve(name: string, signal: AbortSignal): Promise<string[]> {
  const resolver = new Resolver({ timeout: timeoutMs / 2, tries: 1 });
  signal.addEventListener('abort', () => resolver.cancel(), { once: true });
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

/** Also knows names of this machine, such as localhost. */
const resolveLocal = async (name: string): Promise<string[]> =>
  (await lookupWithHosts(name, { all: true })).map(({ address }) => address);

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}
