import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

// Keys that sign access tokens so that others can verify them: Ed25519 (EdDSA) and P-256 (ES256), as PEM.

export type SigningAlgorithm = 'EdDSA' | 'ES256';

/** A public key as others read it (RFC 7517). */
export interface PublicJwk {
  kty: string;
  crv: string;
  x: string;
  y?: string;
  kid: string;
  alg: SigningAlgorithm;
  use: 'sig';
}

/** A public key with all that follows from it. */
export interface VerificationKey {
  algorithm: SigningAlgorithm;
  /** The thumbprint of the key (RFC 7638): the same for everybody who has it. */
  kid: string;
  pem: string;
  jwk: PublicJwk;
}

export interface SigningKey extends VerificationKey {
  privatePem: string;
}

/**
 * Reads a private key from a PEM text (line breaks may be written as `\n`) or the file of that name.
 *
 * @throws Error that says what is wrong with it, and nothing of what is in it
 */
export function readSigningKey(textOrFile: string): SigningKey {
  const pem = readPem(textOrFile);
  const key = parse(() => createPrivateKey(pem), 'is no private key in PEM format');
  return { ...describe(createPublicKey(key)), privatePem: key.export({ type: 'pkcs8', format: 'pem' }).toString() };
}

/** As `readSigningKey`, for a public key, or the public half of a private one. */
export function readVerificationKey(textOrFile: string): VerificationKey {
  const pem = readPem(textOrFile);
  return describe(parse(() => createPublicKey(pem), 'is no key in PEM format'));
}

/** A new private key, as PEM. */
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

function parse(read: () => KeyObject, complaint: string): KeyObject {
  try {
    return read();
  } catch (cause) {
    throw new Error(complaint, { cause });
  }
}

function describe(key: KeyObject): VerificationKey {
  const { kty, crv, x, y } = key.export({ format: 'jwk' }) as { kty: string; crv?: string; x?: string; y?: string };
  const algorithm = ({ Ed25519: 'EdDSA', 'P-256': 'ES256' } as const)[crv ?? ''];
  if (!algorithm || !crv || !x) throw new Error('is neither an Ed25519 nor a P-256 key');
  // The members that RFC 7638 asks for, in its order.
  const members = y === undefined ? { crv, kty, x } : { crv, kty, x, y };
  const kid = createHash('sha256').update(JSON.stringify(members)).digest('base64url');
  const pem = key.export({ type: 'spki', format: 'pem' }).toString();
  return { algorithm, kid, pem, jwk: { ...members, kid, alg: algorithm, use: 'sig' } };
}
