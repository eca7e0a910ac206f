import { createHash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';
import { Problem } from '../errors.ts';
import type { Bucket, Level, Rate, ThrottleStore } from '../throttle-store.ts';

// Slows guessing down. Each route says what it takes from one address, and for one account; docs/security.md tells what that means for an
// attacker, and for the owner of an account that is attacked.

export interface Throttle {
  /** Routes of one name fill the same buckets. */
  name: string;
  /** From one address (an IPv6 network of 64 bits counts as one), before anything else is looked at. */
  address?: Rate;
  /** For one account, once the request is known to be valid. Nobody knows here whether there is such an account. */
  account?: {
    /** What names the account; undefined where this request is about none. */
    of: (request: FastifyRequest) => string | undefined;
    /** From one address. */
    fromOne?: Rate;
    /** From all addresses together, but for those from which this account was signed in to in the last 30 days. */
    fromAll: Rate;
  };
  /** A success counts for nothing, empties the account's buckets, and makes the address known to it. A failure of ours counts for nothing. */
  countsFailures?: boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    throttle?: Throttle;
  }
  interface FastifyRequest {
    /** What this request has put where, until it is known how it went. */
    throttled: { buckets: Bucket[]; account?: string } | undefined;
  }
  interface FastifyInstance {
    /** To the throttle of this name, the account's owner is at this address: they have proven it in another way. */
    welcomeOwner: (name: string, account: string, address: string) => Promise<void>;
  }
}

const knownMs = 30 * 86_400_000;

/** @param store undefined where nothing is throttled */
export function throttling(app: FastifyInstance, store: ThrottleStore | undefined): void {
  const welcome = async (name: string, account: string, address: string) => {
    const keys = accountKeys(name, account, address);
    await store?.forget([keys.fromOne, keys.fromAll]);
    await store?.mark(keys.known, knownMs);
  };
  app.decorate('welcomeOwner', welcome);
  app.decorateRequest('throttled', undefined);
  if (!store) return;

  const take = async (buckets: Bucket[], reply: FastifyReply) => {
    const levels = await store.take(buckets);
    const [tightest] = levels.toSorted((one, other) => other.waitMs - one.waitMs || one.remaining - other.remaining);
    if (!tightest) return;
    announce(tightest, reply);
    if (tightest.waitMs > 0) throw tooMany(tightest);
  };

  const takeFromAddress = async (request: FastifyRequest, reply: FastifyReply, throttle: Throttle, address: Rate) => {
    const bucket = { ...address, key: keyOf(throttle.name, 'address', networkOf(request.ip)) };
    await take([bucket], reply);
    request.throttled = { buckets: [bucket] };
  };

  const takeFromAccount = async (request: FastifyRequest, reply: FastifyReply, { name, account: rates }: Throttle) => {
    const account = rates?.of(request);
    if (!rates || account === undefined) return;
    const { fromOne, fromAll } = rates;
    const keys = accountKeys(name, account, request.ip);
    const isKnown = fromOne !== undefined && (await store.isMarked(keys.known));
    const buckets = [
      ...(fromOne ? [{ ...fromOne, key: keys.fromOne }] : []),
      ...(isKnown ? [] : [{ ...fromAll, key: keys.fromAll }]),
    ];
    await take(buckets, reply);
    request.throttled = { buckets: [...(request.throttled?.buckets ?? []), ...buckets], account };
  };

  const giveBack = async (request: FastifyRequest, reply: FastifyReply, { name }: Throttle) => {
    const { throttled, ip } = request;
    const isOurFault = reply.statusCode >= 500;
    const isSuccess = reply.statusCode < 400;
    if (!throttled || !(isSuccess || isOurFault)) return;
    request.throttled = undefined;
    for (const bucket of throttled.buckets) await store.giveBack(bucket);
    if (isSuccess && throttled.account !== undefined) await welcome(name, throttled.account, ip);
  };

  app.addHook('onRequest', (request, reply, done) => {
    const { throttle } = request.routeOptions.config;
    if (!throttle?.address) return done();
    takeFromAddress(request, reply, throttle, throttle.address).then(() => done(), done);
  });
  app.addHook('preHandler', (request, reply, done) => {
    const { throttle } = request.routeOptions.config;
    if (!throttle?.account) return done();
    takeFromAccount(request, reply, throttle).then(() => done(), done);
  });
  app.addHook('onSend', (request, reply, payload, done) => {
    const { throttle } = request.routeOptions.config;
    if (!throttle?.countsFailures) return done(null, payload);
    giveBack(request, reply, throttle).then(() => done(null, payload), done);
  });

  app.addHook('onClose', () => store.close());
}

const accountKeys = (name: string, account: string, address: string) => ({
  fromOne: keyOf(name, 'account and address', `${account} ${networkOf(address)}`),
  fromAll: keyOf(name, 'account', account),
  known: keyOf(name, 'known address', `${account} ${networkOf(address)}`),
});

/** Hashed: emails have no business in a store of counters, and every key is as long as the others. */
const keyOf = (name: string, kind: string, value: string) =>
  createHash('sha256')
    .update(JSON.stringify([name, kind, value]))
    .digest('base64url')
    .slice(0, 22);

/** An IPv4 address; of an IPv6 address the first 64 bits, within which one customer can have as many as they like. */
function networkOf(address: string): string {
  const [bare = ''] = address.split('%');
  if (!ipaddr.isValid(bare)) return 'unknown';
  const parsed = ipaddr.process(bare);
  return parsed.kind() === 'ipv4' ? parsed.toString() : `${parsed.toByteArray().slice(0, 8)}`;
}

const seconds = (ms: number) => Math.max(1, Math.ceil(ms / 1000));

/** The header fields of draft-ietf-httpapi-ratelimit-headers-03, for the bucket that has the least room. */
function announce({ burst, remaining, resetMs }: Level, reply: FastifyReply): void {
  reply.headers({
    'ratelimit-limit': String(burst),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(seconds(resetMs)),
  });
}

const tooMany = ({ waitMs }: Level) =>
  new Problem('rate_limited', `Too many attempts: try again in ${seconds(waitMs)} s.`, {
    headers: { 'retry-after': String(seconds(waitMs)) },
  });
