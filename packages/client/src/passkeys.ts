/// <reference lib="dom" />
import type { Call } from './call.ts';
import type { components, paths } from './openapi.d.ts';
import { ProblemError } from './problem-error.ts';
import type { Session, SignInOptions } from './session.ts';

type Passkey = components['schemas']['Passkey'];
type RequestOptions = components['schemas']['PasskeyRequestOptions'];
export type PasskeyCredential = components['schemas']['PasskeySignIn']['credential'];

const signInPath = '/api/v1/auth/passkey' satisfies keyof paths;
/** Options work for five minutes. Older ones are replaced: Safari may refuse that prompt, but the server would refuse the passkey. */
const optionsMs = 240_000;

/** A passkey that can be asked for at once. */
export interface PreparedPasskey {
  /** Shows the prompt and signs in. @throws ProblemError `invalid_credentials`; a DOMException if the user cancels */
  signIn(options?: SignInOptions): Promise<void>;
  /** Shows the prompt. Resolves to the `credential` for `completeMfa` or `POST /auth/step-up`. */
  prove(options?: SignInOptions): Promise<PasskeyCredential>;
}

/** A passkey that can be added at once. */
export interface PreparedRegistration {
  /** Shows the prompt and adds the passkey to the account. @throws ProblemError; a DOMException if the user cancels */
  create(name?: string): Promise<Passkey>;
}

/**
 * Passkeys of browsers. A prompt needs a click, and Safari forgets the click when the page waits for the server in between. So `prepare…` asks the server when the page is
 * shown, and the click handler only shows the prompt.
 */
export interface Passkeys {
  /** Whether this browser has passkeys. */
  isAvailable(): boolean;
  prepareSignIn(): Promise<PreparedPasskey>;
  /**
   * Offers passkeys in the autofill of a field with `autocomplete="username webauthn"`. Resolves when the user has chosen one and is signed in.
   *
   * @throws the reason of the signal: abort it when the user signs in by other means
   */
  autofill(options?: SignInOptions): Promise<void>;
  /** Needs a recent authentication. */
  prepareRegistration(): Promise<PreparedRegistration>;
}

export function createPasskeys(call: { POST: Call<'post'> }, session: Session): Passkeys {
  const signInOptions = () => call.POST('/api/v1/auth/passkey/options');

  const enter = async (credential: PasskeyCredential, { rpId }: RequestOptions, options?: SignInOptions) => {
    try {
      await session.signIn(signInPath, { credential }, options);
    } catch (error) {
      if (error instanceof ProblemError && error.isUnknownCredential) await signalUnknown(rpId, credential.id);
      throw error;
    }
  };

  return {
    isAvailable: () => typeof globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON === 'function',

    prepareSignIn: async () => {
      let options = await signInOptions();
      let preparedAt = Date.now();
      const current = async () => {
        if (Date.now() - preparedAt > optionsMs) {
          options = await signInOptions();
          preparedAt = Date.now();
        }
        return options;
      };
      return {
        signIn: async (given) => enter(await ask(await current(), given), options, given),
        prove: async (given) => ask(await current(), given),
      };
    },

    autofill: async (given = {}) => {
      for (;;) {
        const options = await signInOptions();
        const late = AbortSignal.timeout(optionsMs);
        const signal = given.signal ? AbortSignal.any([given.signal, late]) : late;
        const credential = await ask(options, { signal }, 'conditional').catch((error) => {
          if (!late.aborted || given.signal?.aborted) throw error;
        });
        if (credential) return enter(credential, options, given);
      }
    },

    prepareRegistration: async () => {
      const options = await call.POST('/api/v1/users/me/passkeys/options');
      return {
        create: async (name) => {
          const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as never);
          const created = await navigator.credentials.create({ publicKey });
          const credential = jsonOf(created);
          return call.POST('/api/v1/users/me/passkeys', { body: { credential, ...(name !== undefined && { name }) } });
        },
      };
    },
  };
}

async function ask(
  options: RequestOptions,
  { signal }: SignInOptions = {},
  mediation?: CredentialMediationRequirement,
): Promise<PasskeyCredential> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as never);
  const credential = await navigator.credentials.get({
    publicKey,
    ...(mediation && { mediation }),
    ...(signal && { signal }),
  });
  return jsonOf(credential);
}

const jsonOf = (credential: unknown) => (credential as { toJSON(): PasskeyCredential }).toJSON();

/** Tells the authenticator that the server does not know its passkey, so that it is not offered again. */
async function signalUnknown(rpId: string, credentialId: string): Promise<void> {
  const { signalUnknownCredential } = PublicKeyCredential as {
    signalUnknownCredential?: (options: object) => Promise<void>;
  };
  await signalUnknownCredential?.call(PublicKeyCredential, { rpId, credentialId }).catch(() => {});
}
