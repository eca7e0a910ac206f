import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { stripTypeScriptTypes } from 'node:module';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

interface Site {
  /** Host in the URL. Passkeys need `localhost`: an address is no domain. */
  host?: '127.0.0.1' | 'localhost';
  /** `cookie`: the client keeps its session in a cookie. */
  session?: 'tokens' | 'cookie';
}

/** Serves a page with `@quoin/client` as `globalThis.api`, as modules without a bundler. */
export async function serveClient(apiUrl: () => string, { host = '127.0.0.1', session = 'tokens' }: Site = {}) {
  const types = { js: 'text/javascript', html: 'text/html' };
  const page = () => `<!doctype html><title>Client</title><link rel="icon" href="data:,">
<script type="importmap">{ "imports": { "openapi-fetch": "/openapi-fetch.js" } }</script>
<label>Email <input autocomplete="username webauthn"></label>
<script type="module">
  import { browserStore, createClient } from '/client/index.ts';
  globalThis.store = browserStore();
  globalThis.api = createClient({ baseUrl: '${apiUrl()}', store, session: '${session}' });
</script>`;
  const answer = (path: string): [type: keyof typeof types, text: string] => {
    if (path === '/') return ['html', page()];
    if (path === '/openapi-fetch.js')
      return ['js', readFileSync(`${root}node_modules/openapi-fetch/dist/index.mjs`, 'utf8')];
    const source = readFileSync(`${root}packages/client/src/${path.replace('/client/', '')}`, 'utf8');
    return ['js', stripTypeScriptTypes(source)];
  };
  const http = createServer((request, response) => {
    const [type, text] = answer((request.url ?? '/').split('?', 1)[0] ?? '');
    response.writeHead(200, { 'content-type': types[type] }).end(text);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return { url: `http://${host}:${port}`, close: () => http.close().closeAllConnections() };
}
