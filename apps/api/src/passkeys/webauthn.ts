import type { Database } from '@quoin/db';
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server';
import { hashOfChallenge, newChallenge } from '../auth/challenges.ts';
import type { CheckedFactor } from '../auth/factors.ts';
import type { Config } from '../config/config.ts';

// The WebAuthn ceremonies (https://www.w3.org/TR/webauthn-3/). The library is loaded when the first request needs it.

const challengeSeconds = 300;
/** Ed25519, ECDSA with P-256, and RSA: what authenticators have. */
const algorithms = [-8, -7, -257];

interface Dependencies {
  database: Database;
  config: Pick<Config, 'appUrl' | 'webauthnOrigins' | 'webauthnRpId'>;
  clock: () => Date;
}

/** A new credential that was checked. */
export interface CheckedCredential {
  /** SHA-256 of the challenge that it answers. */
  challengeHash: Buffer;
  credential_id: Uint8Array;
  public_key: Uint8Array;
  counter: number;
  transports: string[];
  is_device_bound: boolean;
  is_backed_up: boolean;
}

interface VerifiedSignIn {
  challengeHash: Buffer;
  counter: number;
  is_backed_up: boolean;
}

/** The columns of a passkey that a sign-in needs. */
interface KnownPasskey {
  id: string;
  user_id: string;
  counter: string;
  is_device_bound: boolean;
}

export function createWebauthn({ database, config, clock }: Dependencies) {
  const { webauthnOrigins: origins, webauthnRpId: rpID } = config;
  const rpName = new URL(config.appUrl).host;
  const common = { timeout: challengeSeconds * 1000, rpID };

  return {
    registrationOptions: async (
      user: { id: string; email: string; full_name: string | null },
      sessionId: string,
      handle: Uint8Array,
      existing: { credential_id: Uint8Array; transports: string[] }[],
    ) => {
      const { generateRegistrationOptions } = await import('@simplewebauthn/server');
      return generateRegistrationOptions({
        ...common,
        rpName,
        userID: new Uint8Array(handle),
        userName: user.email,
        userDisplayName: user.full_name ?? user.email,
        challenge: await create('passkey_registration', user.id, { session_id: sessionId }),
        attestationType: 'none',
        authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
        supportedAlgorithmIDs: algorithms,
        excludeCredentials: existing.map(({ credential_id, transports }) => ({
          id: Buffer.from(credential_id).toString('base64url'),
          transports,
        })),
      });
    },

    /** @throws Error if the credential does not answer a challenge of this server, for this site, with user verification */
    checkRegistration: async (credential: unknown): Promise<CheckedCredential> => {
      const { verifyRegistrationResponse } = await import('@simplewebauthn/server');
      let challengeHash: Buffer = Buffer.alloc(0);
      const { verified, registrationInfo } = await verifyRegistrationResponse({
        response: await withoutAttestation(credential as RegistrationResponseJSON),
        expectedChallenge: (challenge) => {
          challengeHash = hashOfChallenge(challenge);
          return true;
        },
        expectedOrigin: origins,
        expectedRPID: rpID,
        requireUserVerification: true,
        supportedAlgorithmIDs: algorithms,
      });
      if (!verified) throw new Error('the credential could not be verified');
      const { credential: key, credentialDeviceType, credentialBackedUp } = registrationInfo;
      return {
        challengeHash,
        credential_id: Buffer.from(key.id, 'base64url'),
        public_key: key.publicKey,
        counter: key.counter,
        transports: (key.transports ?? []).filter((one) => /^[a-z-]{1,20}$/.test(one)).slice(0, 10),
        is_device_bound: credentialDeviceType === 'singleDevice',
        is_backed_up: credentialBackedUp,
      };
    },

    /** Options for signing in without a name. */
    signInOptions: async () => {
      const { generateAuthenticationOptions } = await import('@simplewebauthn/server');
      const challenge = await create('passkey_sign_in', null, {});
      return generateAuthenticationOptions({
        ...common,
        challenge,
        allowCredentials: [],
        userVerification: 'required',
      });
    },

    /**
     * Checks a credential for signing in. User verification on the device counts as a second factor.
     *
     * @returns `isUnknown` if no account has the credential
     */
    checkSignIn: async (given: unknown): Promise<{ passkey?: CheckedFactor; isUnknown: boolean }> => {
      const credential = given as AuthenticationResponseJSON;
      const handle = bytesOf(credential.response?.userHandle);
      const credentialId = bytesOf(credential.id);
      if (handle.length === 0 || credentialId.length === 0) return { isUnknown: false };
      const known = await database.system().passkeys.findByCredential(handle, credentialId);
      if (!known) return { isUnknown: true };
      const verified = await verifySignIn(credential, known.public_key);
      return { isUnknown: false, ...(verified && { passkey: factorOf(known, verified) }) };
    },
  };

  function factorOf(known: KnownPasskey, { challengeHash, counter, is_backed_up }: VerifiedSignIn): CheckedFactor {
    const { id, user_id: userId } = known;
    return {
      userId,
      methods: [known.is_device_bound ? 'hwk' : 'swk', 'mfa'],
      use: async ({ challenges, passkeys, auditEvents }) => {
        const now = clock();
        if (!(await challenges.consume('passkey_sign_in', challengeHash, now))) return false;
        // Synced passkeys may not count at all, so this is no reason to refuse (WebAuthn, 6.1.1).
        if (counter < Number(known.counter))
          await auditEvents.create({ action: 'passkey_counter_fell', user_id: userId, details: { passkey: id } });
        return passkeys.recordUse(userId, id, { counter, is_backed_up, last_used_at: now });
      },
    };
  }

  async function verifySignIn(
    response: AuthenticationResponseJSON,
    publicKey: Uint8Array,
  ): Promise<VerifiedSignIn | undefined> {
    const { verifyAuthenticationResponse } = await import('@simplewebauthn/server');
    let challengeHash: Buffer = Buffer.alloc(0);
    try {
      const { verified, authenticationInfo } = await verifyAuthenticationResponse({
        response,
        expectedChallenge: (challenge) => {
          challengeHash = hashOfChallenge(challenge);
          return true;
        },
        expectedOrigin: origins,
        expectedRPID: rpID,
        // Counter 0: a falling counter is noted, not refused.
        credential: { id: response.id, publicKey: new Uint8Array(publicKey), counter: 0 },
        requireUserVerification: true,
      });
      const { newCounter, credentialBackedUp } = authenticationInfo;
      return verified ? { challengeHash, counter: newCounter, is_backed_up: credentialBackedUp } : undefined;
    } catch {
      return undefined;
    }
  }

  /** Stores a challenge and returns its bytes. */
  async function create(
    purpose: 'passkey_registration' | 'passkey_sign_in',
    user_id: string | null,
    data: Record<string, unknown>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const challenge = newChallenge();
    const now = clock();
    const expires_at = new Date(now.getTime() + challengeSeconds * 1000);
    const row = { token_hash: hashOfChallenge(challenge), purpose, user_id, data, created_at: now, expires_at };
    await database.system().challenges.create(row);
    return new Uint8Array(Buffer.from(challenge, 'base64url'));
  }
}

export type Webauthn = ReturnType<typeof createWebauthn>;

/**
 * Returns the response without the statement about the maker of the device. We ask for none, and the library would fetch what the certificates in a statement name: an
 * attacker could choose these URLs.
 */
async function withoutAttestation(given: RegistrationResponseJSON): Promise<RegistrationResponseJSON> {
  const { decodeAttestationObject, isoCBOR } = await import('@simplewebauthn/server/helpers');
  const attestation = decodeAttestationObject(new Uint8Array(bytesOf(given.response.attestationObject)));
  const none = new Map<string, unknown>([
    ['fmt', 'none'],
    ['attStmt', new Map()],
    ['authData', attestation.get('authData')],
  ]);
  const attestationObject = Buffer.from(isoCBOR.encode(none as never)).toString('base64url');
  return { ...given, response: { ...given.response, attestationObject } };
}

const bytesOf = (text: unknown): Buffer =>
  typeof text === 'string' ? Buffer.from(text, 'base64url') : Buffer.alloc(0);
