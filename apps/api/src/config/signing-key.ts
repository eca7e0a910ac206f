import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

// Key pairs for access tokens that other services verify: Ed25519 (EdDSA) and P-256 (ES256), as PEM.

export type SigningAlgorithm = 'EdDSA' | 'ES256';

/** A public key as a JSON Web Key (RFC 7517). */
export interface PublicJwk {
  kty: string;
  crv: string;
  x: string;
  y?: string;
  kid: string;
  alg: SigningAlgorithm;
  use: 'sig';
}

/** A public key and the values derived from it. */
export interface VerificationKey {
  algorithm: SigningAlgorithm;
  /** Thumbprint of the key (RFC 7638), so that every process derives the same id. */
  kid: string;
  pem: string;
  jwk: PublicJwk;
}

export interface SigningKey extends VerificationKey {
  privatePem: string;
}

/**
 * Reads a private key from PEM text, in which `\n` can stand for a line break, or from the file of that name.
 *
 * @throws Error without any content of the key
 */
export function readSigningKey(textOrFile: string): SigningKey {
  const pem = readPem(textOrFile);
  const key = parse(() => createPrivateKey(pem), 'is not a private key in PEM format');
  return { ...describe(createPublicKey(key)), privatePem: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** Same as `readSigningKey`, for a public key or the public half of a private key. */
export function readVerificationKey(textOrFile: string): VerificationKey {
  const pem = readPem(textOrFile);
  return describe(parse(() => createPublicKey(pem), 'is not a key in PEM format'));
}

/** Generates a private key, as PEM. */
export function generateSigningKey(algorithm: SigningAlgorithm): string {
  const { privateKey } =
    algorithm === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function readPem(textOrFile: string): string {
  if (textOrFile.startsWith('-----BEGIN')) return textOrFile.replaceAll('\\n', '\n');
  if (!existsSync(textOrFile)) throw new Error('is neither a key in PEM format nor the name of a file');
  return readFileSync(textOrFile, 'utf8');
}

function parse(read: () => KeyObject, message: string): KeyObject {
  try {
    return read();
  } catch (cause) {
    throw new Error(message, { cause });
  }
}

function describe(key: KeyObject): VerificationKey {
  const { kty, crv, x, y } = key.export({ format: 'jwk' }) as { kty: string; crv?: string; x?: string; y?: string };
  const algorithm = ({ Ed25519: 'EdDSA', 'P-256': 'ES256' } as const)[crv ?? ''];
  if (!algorithm || !crv || !x) throw new Error('is neither an Ed25519 nor a P-256 key');
  // The members and their order are those of RFC 7638.
  const members = y === undefined ? { crv, kty, x } : { crv, kty, x, y };
  const kid = createHash('sha256').update(JSON.stringify(members)).digest('base64url');
  const pem = key.export({ type: 'spki', format: 'pem' }).toString();
  return { algorithm, kid, pem, jwk: { ...members, kid, alg: algorithm, use: 'sig' } };
}
