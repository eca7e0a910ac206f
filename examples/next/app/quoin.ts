import { createClient } from '@quoin/client';
import { headers } from 'next/headers';

/** Returns a client for server components that acts for the browser of this request. */
export async function quoin() {
  // `cookies()` would encode the values again.
  const cookie = (await headers()).get('cookie') ?? '';
  return createClient({
    baseUrl: process.env.API_URL ?? 'http://127.0.0.1:8000',
    session: 'cookie',
    fetch: (request) => {
      const signed = new Request(request, { cache: 'no-store' });
      signed.headers.set('cookie', cookie);
      return fetch(signed);
    },
  });
}
