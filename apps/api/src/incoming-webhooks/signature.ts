import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

// Signatures of webhooks. A signature covers the time, so that an old message cannot be sent again later.

/** How far the clock of the sender may be off, and how old a message may be (https://www.standardwebhooks.com). */
const toleranceSeconds = 300;

export interface SignedMessage {
  headers: IncomingHttpHeaders;
  /** The body as it was received. */
  body: Buffer;
  now: Date;
}

/** Returns the id of a message whose signature is right; undefined if it is missing, wrong or too old. */
export type VerifySignature = (message: SignedMessage) => string | undefined;

/** Verifies webhooks that are signed by Standard Webhooks v1, which Svix, Clerk, Resend and others use. @param secrets `whsec_…`; several while one is replaced */
export function standardWebhooks(secrets: readonly string[]): VerifySignature {
  const keys = required(secrets).map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    if (key.length < keyBytesMin)
      throw new Error('a secret of Standard Webhooks is whsec_ and at least 24 bytes in base64');
    return key;
  });
  return ({ headers, body, now }) => {
    const id = single(headers['webhook-id']);
    const timestamp = single(headers['webhook-timestamp']);
    const signatures = (single(headers['webhook-signature']) ?? '')
      .split(' ')
      .flatMap((signature) => (signature.startsWith('v1,') ? [signature.slice(3)] : []));
    if (!id || !isRecent(timestamp, now)) return undefined;
    const expected = keys.map((key) => signStandardWebhook(key, id, timestamp, body));
    return isSigned(signatures, expected) ? id : undefined;
  };
}

/** Signs a message by Standard Webhooks v1: HMAC-SHA-256 in base64. */
export const signStandardWebhook = (key: Buffer, id: string, timestamp: string, body: Buffer): string =>
  createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');

/** Verifies webhooks of Stripe (https://docs.stripe.com/webhooks). @param secrets `whsec_…`, used as they are; several while one is replaced */
export function stripeWebhooks(secrets: readonly string[]): VerifySignature {
  required(secrets);
  return ({ headers, body, now }) => {
    const parts = (single(headers['stripe-signature']) ?? '').split(',').map((part) => part.trim().split('='));
    const timestamp = parts.find(([name]) => name === 't')?.[1];
    const signatures = parts.flatMap(([name, value]) => (name === 'v1' && value ? [value] : []));
    if (!isRecent(timestamp, now)) return undefined;
    const expected = secrets.map((secret) =>
      createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex'),
    );
    return isSigned(signatures, expected) ? idOf(body) : undefined;
  };
}

/** The standard asks for 24 to 64 bytes. */
const keyBytesMin = 24;

/** Without a secret, anybody could sign. */
function required(secrets: readonly string[]): readonly string[] {
  if (secrets.length === 0 || secrets.some((secret) => secret.length < keyBytesMin / 2))
    throw new Error('webhooks need a secret: is the configuration of it missing?');
  return secrets;
}

const single = (value: string | string[] | undefined) => (typeof value === 'string' ? value : undefined);

const isRecent = (timestamp: string | undefined, now: Date): timestamp is string =>
  timestamp !== undefined &&
  /^\d{1,12}$/.test(timestamp) &&
  Math.abs(now.getTime() / 1000 - Number(timestamp)) <= toleranceSeconds;

/** Whether one of the signatures is one of the expected ones. */
const isSigned = (signatures: readonly string[], expected: readonly string[]): boolean =>
  signatures.some((signature) =>
    expected.some((one) => {
      const [given, right] = [Buffer.from(signature), Buffer.from(one)];
      return given.length === right.length && timingSafeEqual(given, right);
    }),
  );

/** The `id` of an event of Stripe. */
function idOf(body: Buffer): string | undefined {
  const { id } = JSON.parse(body.toString()) as { id?: unknown };
  return typeof id === 'string' ? id : undefined;
}
