const bytesMax = 262_144;

/** Fetches from a provider. Refuses redirects and answers over 256 KiB. The caller sets the time limit. */
export async function boundedFetch(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...options, redirect: 'manual' });
  if (response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    throw new TypeError('the provider answered with a redirect');
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > bytesMax) throw new TypeError('the answer of the provider is too large');
    parts.push(part);
  }
  return new Response(bytes > 0 ? new Blob(parts) : null, { status: response.status, headers: response.headers });
}
