/// <reference lib="dom" />
import type { Call } from './call.ts';
import { newVerifier, queryParameter } from './runtime.ts';
import type { Session, SignInOptions } from './session.ts';

export interface BeginOptions extends SignInOptions {
  /** Path below APP_URL to which the browser returns. */
  returnTo?: string;
}

const errorCodes = ['access_denied', 'provider_unavailable', 'sign_in_failed', 'invalid_state'] as const;

/** A sign-in at a provider that did not succeed. */
export class ProviderError extends Error {
  override name = 'ProviderError';
  /** `access_denied`: the user declined. `invalid_state`: it took more than ten minutes. */
  readonly code: (typeof errorCodes)[number];

  constructor(code: ProviderError['code']) {
    super(`the sign-in at the provider did not succeed: ${code}`);
    this.code = code;
  }
}

/** Stores the code verifier while the browser is at the provider. */
export interface AttemptStore {
  get(): string | null | Promise<string | null>;
  set(attempt: string | null): void | Promise<void>;
}

/** Sign-in with providers: the browser leaves this page for that of the provider, and returns to `returnTo`. */
export interface Providers {
  /** Begins to sign in. Resolves to the page to send the browser to. @throws ProblemError `not_found`, `provider_unavailable` */
  begin(id: string, options?: BeginOptions): Promise<string>;
  /** Begins to link an account at the provider to that of this session. Needs a recent authentication. @throws as `begin`, and `step_up_required` */
  beginLink(id: string, options?: BeginOptions): Promise<string>;
  /**
   * Finishes an attempt on the page to which the browser returned. Resolves to undefined if its URL has no answer, or if this browser has begun no attempt.
   *
   * @param url default: that of this page
   * @throws ProviderError; ProblemError `email_taken`, `mfa_required`, `identity_taken`, …
   */
  finish(url?: string, options?: SignInOptions): Promise<'signed in' | 'linked' | undefined>;
}

const key = 'quoin provider';
const exchange = '/api/v1/auth/exchange';

/** In the tab; in memory where there are no tabs. */
export function attemptStore(): AttemptStore {
  if (typeof sessionStorage !== 'undefined')
    return {
      get: () => sessionStorage.getItem(key),
      set: (attempt) => (attempt === null ? sessionStorage.removeItem(key) : sessionStorage.setItem(key, attempt)),
    };
  let kept: string | null = null;
  return {
    get: () => kept,
    set: (attempt) => {
      kept = attempt;
    },
  };
}

export function createProviders(POST: Call<'post'>, session: Session, store: AttemptStore): Providers {
  const begin = async (
    path: '/api/v1/auth/providers/{provider_id}/start' | '/api/v1/users/me/identities/{provider_id}/start',
    id: string,
    { returnTo, signal = null }: BeginOptions,
  ): Promise<string> => {
    const { codeVerifier, codeChallenge } = await newVerifier();
    const body = { code_challenge: codeChallenge, ...(returnTo !== undefined && { return_to: returnTo }) };
    const { url } = await POST(path, { params: { path: { provider_id: id } }, body, signal });
    await store.set(JSON.stringify({ codeVerifier, isLink: path.includes('identities') }));
    return url;
  };

  return {
    begin: (id, options = {}) => begin('/api/v1/auth/providers/{provider_id}/start', id, options),
    beginLink: (id, options = {}) => begin('/api/v1/users/me/identities/{provider_id}/start', id, options),

    finish: async (url = globalThis.location?.href ?? '', options) => {
      const [code, error] = [queryParameter(url, 'code'), queryParameter(url, 'error')];
      if (code === undefined && error === undefined) return undefined;
      const attempt = await store.get();
      if (!attempt) return undefined;
      await store.set(null);
      if (code === undefined) throw new ProviderError(errorCodes.find((one) => one === error) ?? 'sign_in_failed');
      const { codeVerifier, isLink } = JSON.parse(attempt) as { codeVerifier: string; isLink: boolean };
      const body = { code, code_verifier: codeVerifier };
      if (isLink) {
        await POST(exchange, { body, signal: options?.signal ?? null });
        return 'linked';
      }
      await session.signIn(exchange, body, options);
      return 'signed in';
    },
  };
}
