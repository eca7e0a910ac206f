const apiUrl = process.env.API_URL ?? 'http://127.0.0.1:8000';

/** They are about one connection, or a browser could write them. */
const notPassedOn =
  /^(host|connection|keep-alive|transfer-encoding|content-length|accept-encoding|content-encoding|forwarded|x-forwarded-.*|x-real-ip)$/;

/** Passes a request on to Quoin, with the cookie and what shows that it comes from a page of this site (`Sec-Fetch-Site`). */
async function passOn(request: Request): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const options: RequestInit & { duplex: 'half' } = {
    method: request.method,
    headers: passedOn(request.headers),
    body: request.body,
    duplex: 'half',
    redirect: 'manual',
    cache: 'no-store',
    signal: request.signal,
  };
  const answer = await fetch(`${apiUrl}${pathname}${search}`, options);
  return new Response(answer.body, { status: answer.status, headers: passedOn(answer.headers) });
}

function passedOn(headers: Headers): Headers {
  const kept = new Headers(headers);
  for (const name of headers.keys()) if (notPassedOn.test(name)) kept.delete(name);
  return kept;
}

export { passOn as DELETE, passOn as GET, passOn as PATCH, passOn as POST, passOn as PUT };
