import { createHmac } from 'node:crypto';
import type { Database } from '@quoin/db';
import ipaddr from 'ipaddr.js';
import type { Client } from '../http/client.ts';
import { deleteAll } from '../http/delete-all.ts';
import { deriveKey } from '../http/derive-key.ts';

// Recognizes the network and the browser of a sign-in, coarsely: an update of the browser and another address of the same provider are not new. Only an HMAC is stored.

const dayMs = 86_400_000;
const keptMs = 180 * dayMs;

const systems = ['Android', 'iPhone', 'iPad', 'Windows', 'CrOS', 'Mac OS X', 'Linux'];
/** In this order: Edge and Opera also say Chrome, and Chrome also says Safari. */
const browsers = ['Edg', 'OPR', 'Firefox', 'FxiOS', 'CriOS', 'Chrome', 'Safari'];

export type FingerprintOf = (userId: string, client: Client) => Buffer;

export function createFingerprint(secretKey: string): FingerprintOf {
  const key = deriveKey(secretKey, 'known client');
  return (userId, { ip_address, user_agent }) =>
    createHmac('sha256', key)
      .update(JSON.stringify([userId, networkOf(ip_address), familyOf(user_agent ?? '')]))
      .digest();
}

/** Returns the /24 of an IPv4 address, or the /48 of an IPv6 address. */
function networkOf(address: string | null): string {
  if (address === null || !ipaddr.isValid(address)) return '';
  const bytes = ipaddr.process(address).toByteArray();
  return bytes.slice(0, bytes.length === 4 ? 3 : 6).join('.');
}

/** Returns the browser and the operating system; for other programs, their name. */
function familyOf(userAgent: string): string {
  const find = (names: string[]) => names.find((name) => userAgent.includes(name));
  const browser = find(browsers);
  return browser ? `${browser} ${find(systems) ?? ''}` : userAgent.replace(/[/ ].*/, '');
}

/** Forgets clients that nobody has signed in from for half a year. Resolves to their number. */
export function forgetUnusedClients(database: Database, clock: () => Date): Promise<number> {
  const before = new Date(clock().getTime() - keptMs);
  return deleteAll((limit) => database.system().knownClients.deleteUnused(before, limit));
}
