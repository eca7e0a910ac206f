// What differs between browsers, Node and React Native. React Native has no `crypto`, no `AbortSignal.timeout`, and a `URL` without most of its properties.

/** Returns a random id. Not for secrets. */
export function uniqueId(): string {
  const parts = new Uint32Array(4);
  // Not `randomUUID`, which browsers offer only to pages with TLS.
  if (globalThis.crypto) crypto.getRandomValues(parts);
  else for (let index = 0; index < parts.length; index += 1) parts[index] = Math.random() * 2 ** 32;
  return parts.join('-');
}

/** Returns a signal that aborts after a time. */
export function timeoutSignal(ms: number): AbortSignal {
  if (typeof AbortSignal.timeout === 'function') return AbortSignal.timeout(ms);
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('the time is up')), ms);
  return controller.signal;
}

/** Returns the path of an absolute URL. */
export const pathOf = (url: string): string => /^\w+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? '';

/** Returns a parameter of the query of a URL. */
export function queryParameter(url: string, name: string): string | undefined {
  const query = /\?([^#]*)/.exec(url)?.[1] ?? '';
  const pair = query.split('&').find((one) => one.startsWith(`${name}=`));
  return pair && decodeURIComponent(pair.slice(name.length + 1).replaceAll('+', ' '));
}

/**
 * Returns a new `code_verifier` and its `code_challenge` (RFC 7636).
 *
 * @throws Error without Web Crypto: on pages without TLS (except localhost), and in React Native
 */
export async function newVerifier(): Promise<{ codeVerifier: string; codeChallenge: string }> {
  if (!globalThis.crypto?.subtle)
    throw new Error(
      'sign-in with providers needs Web Crypto (crypto.getRandomValues and crypto.subtle): use a page with TLS; in React Native install react-native-quick-crypto',
    );
  const codeVerifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(codeVerifier));
  return { codeVerifier, codeChallenge: base64url(new Uint8Array(digest)) };
}

const base64url = (bytes: Uint8Array) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
