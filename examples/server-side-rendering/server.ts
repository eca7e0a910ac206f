import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pathToFileURL } from 'node:url';
import { createClient } from '@quoin/client';

// A server that renders pages with the session of the browser. The browser sees one origin: this server answers pages, and passes `/api/` on to Quoin.
//
//   API_URL=http://127.0.0.1:8000 PORT=3000 node examples/server-side-rendering/server.ts

/** @param apiUrl URL of Quoin, which only this server needs to reach */
export function createPageServer(apiUrl: string) {
  return createServer((request, response) => {
    const answer = request.url?.startsWith('/api/') ? passOn : page;
    answer(apiUrl, request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  });
}

async function page(apiUrl: string, { headers }: IncomingMessage, response: ServerResponse): Promise<void> {
  const { cookie = '' } = headers;
  const api = createClient({
    baseUrl: apiUrl,
    session: 'cookie',
    // The server acts for the browser that sent the cookie.
    fetch: (request) => fetch(new Request(request, { headers: { ...Object.fromEntries(request.headers), cookie } })),
  });
  const html = (await api.isSignedIn()) ? accountPage((await api.GET('/api/v1/users/me')).email) : signInPage;
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(html);
}

const accountPage = (email: string) => `<!doctype html>
<title>Account</title>
<p>You are ${escaped(email)}.</p>
<button onclick="fetch('/api/v1/auth/logout', { method: 'POST' }).then(() => location.reload())">Sign out</button>
`;

const signInPage = `<!doctype html>
<title>Sign in</title>
<form onsubmit="event.preventDefault(); signIn(new FormData(this))">
  <label>Email <input name="email" autocomplete="username"></label>
  <label>Password <input name="password" type="password" autocomplete="current-password"></label>
  <button>Sign in</button>
</form>
<script>
  async function signIn(form) {
    const body = JSON.stringify({ ...Object.fromEntries(form), session: 'cookie' });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch('/api/v1/auth/login', { method: 'POST', headers, body });
    if (response.ok) location.reload();
    else alert((await response.json()).detail);
  }
</script>
`;

const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`);

/** Header fields that belong to one connection (RFC 9110, 7.6.1), and those that `fetch` writes itself. */
const ownHeaders = ['connection', 'host', 'keep-alive', 'transfer-encoding', 'content-length', 'content-encoding'];

const passedOn = (entries: Iterable<[string, string]>) =>
  [...entries].filter(([name]) => !ownHeaders.includes(name)) as [string, string][];

async function passOn(apiUrl: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]);
  const hasBody = !['GET', 'HEAD'].includes(request.method ?? '');
  const answer = await fetch(`${apiUrl}${request.url}`, {
    method: request.method ?? 'GET',
    headers: passedOn(headers),
    ...(hasBody && { body: await bodyOf(request) }),
    redirect: 'manual',
  });
  response.writeHead(answer.status, passedOn(answer.headers).flat());
  response.end(Buffer.from(await answer.arrayBuffer()));
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { API_URL = 'http://127.0.0.1:8000', PORT = '3000' } = process.env;
  createPageServer(API_URL).listen(Number(PORT), '127.0.0.1', () => console.log(`http://localhost:${PORT}`));
}
