import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

// A software authenticator (WebAuthn, ES256), for tests of the API without a browser. e2e/passkeys.test.ts uses a real one.

type Json = Record<string, unknown>;

interface Options {
  origin?: string;
  rpId?: string;
  /** Whether the user was verified, as with a fingerprint or a PIN. */
  isUserVerified?: boolean;
  /** Signature counter of the next use. */
  counter?: number;
  /** Whether the key can be backed up. */
  isSyncable?: boolean;
}

const base64url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
const sha256 = (bytes: string | Uint8Array) => createHash('sha256').update(bytes).digest();

/** Creates an authenticator with one credential. */
export function createAuthenticator(defaults: Options = {}) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const credentialId = randomBytes(32);
  let userHandle = '';

  const flagsOf = ({ isUserVerified = true, isSyncable = false }: Options, hasCredential: boolean) =>
    0x01 | (isUserVerified ? 0x04 : 0) | (isSyncable ? 0x18 : 0) | (hasCredential ? 0x40 : 0);

  const authenticatorData = (options: Options, credential?: Buffer) => {
    const { rpId = 'localhost', counter = 0 } = options;
    const fixed = Buffer.alloc(5);
    fixed[0] = flagsOf(options, credential !== undefined);
    fixed.writeUInt32BE(counter, 1);
    return Buffer.concat([sha256(rpId), fixed, credential ?? Buffer.alloc(0)]);
  };

  const clientData = (type: 'webauthn.create' | 'webauthn.get', challenge: string, { origin }: Options) =>
    Buffer.from(JSON.stringify({ type, challenge, origin: origin ?? 'http://localhost:3000', crossOrigin: false }));

  const credentialOf = (response: Json) => ({
    id: base64url(credentialId),
    rawId: base64url(credentialId),
    type: 'public-key',
    clientExtensionResults: {},
    response,
  });

  return {
    credentialId,

    /** Answers the options of `POST /users/me/passkeys/options`. */
    create: (
      options: { challenge: string; user: { id: string } },
      overrides: Options & { attestation?: { fmt: string; attStmt: object } } = {},
    ) => {
      const all = { ...defaults, ...overrides };
      userHandle = options.user.id;
      const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
      const cose = cborMap([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, Buffer.from(x, 'base64url')],
        [-3, Buffer.from(y, 'base64url')],
      ]);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(credentialId.length);
      const attested = Buffer.concat([Buffer.alloc(16), length, credentialId, cose]);
      const attestation = cborMap([
        ['fmt', overrides.attestation?.fmt ?? 'none'],
        ['attStmt', overrides.attestation?.attStmt ?? {}],
        ['authData', authenticatorData(all, attested)],
      ]);
      return credentialOf({
        clientDataJSON: base64url(clientData('webauthn.create', options.challenge, all)),
        attestationObject: base64url(attestation),
        transports: ['internal'],
      });
    },

    /** Answers the options of `POST /auth/passkey/options`. */
    get: (options: { challenge: string }, overrides: Options & { userHandle?: string } = {}) => {
      const all = { ...defaults, ...overrides };
      const data = authenticatorData(all);
      const json = clientData('webauthn.get', options.challenge, all);
      return credentialOf({
        clientDataJSON: base64url(json),
        authenticatorData: base64url(data),
        signature: base64url(sign('sha256', Buffer.concat([data, sha256(json)]), privateKey)),
        userHandle: overrides.userHandle ?? userHandle,
      });
    },
  };
}

/** Encodes what these tests need of CBOR (RFC 8949). */
function cborMap(entries: [key: string | number, value: string | number | Buffer | object][]): Buffer {
  return Buffer.concat([head(5, entries.length), ...entries.flatMap(([key, value]) => [cbor(key), cbor(value)])]);
}

function cbor(value: string | number | Buffer | object): Buffer {
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)]);
  return cborMap(Object.entries(value));
}

function head(major: number, length: number): Buffer {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 256) return Buffer.from([(major << 5) | 24, length]);
  return Buffer.from([(major << 5) | 25, length >> 8, length & 255]);
}
