import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { addressOf, networksOf } from '../address.ts';
import { keyOf, secondsOf, tooManyRequests } from './limiter.ts';
import type { Bucket, Level, Rate, ThrottleStore } from './memory-store.ts';

// Rate limits against guessing. Each route sets its limits per address and per account; docs/security.md says what an attacker can still do, and
// what the owner of an attacked account notices.

export interface Throttle {
  /** Routes of one name share their buckets. */
  name: string;
  /** Per address, checked before anything else. An IPv6 /64 counts as one address; its /56 has 4 times and its /48 16 times the limit. */
  address?: Rate;
  /** Per account, checked after validation. */
  account?: {
    /** Returns the account's name, also for accounts that do not exist. Undefined if the request concerns no account. */
    of: (request: FastifyRequest) => string | undefined | Promise<string | undefined>;
    /** From one address. */
    fromOne?: Rate;
    /** From all addresses together, except those of sign-ins in the last 30 days. */
    fromAll: Rate;
  };
  /**
   * Count only failures. A success also empties the account's buckets and remembers its address for the account. Server errors do not count.
   */
  countsFailures?: boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    throttle?: Throttle;
  }
  interface FastifyRequest {
    /** Buckets that this request filled, until its outcome is known. */
    throttled: { buckets: Bucket[]; account?: string } | undefined;
  }
  interface FastifyInstance {
    /** Remembers the address of a request for the account, as a sign-in does. For owners who proved their identity in another way. */
    recordOwnerAddress: (name: string, account: string, request: FastifyRequest) => Promise<void>;
  }
}

const knownMs = 30 * 86_400_000;

/** @param store undefined if nothing is limited */
export function throttling(app: FastifyInstance, store: ThrottleStore | undefined): void {
  const recordOwnerAddress = async (name: string, account: string, request: FastifyRequest) => {
    const keys = accountKeys(name, account, request);
    await store?.forget([keys.fromOne, keys.fromAll]);
    await store?.mark(keys.known, knownMs);
  };
  app.decorate('recordOwnerAddress', recordOwnerAddress);
  app.decorateRequest('throttled', undefined);
  if (!store) return;

  const take = async (buckets: Bucket[], reply: FastifyReply) => {
    const levels = await store.take(buckets);
    const [tightest] = levels.toSorted((one, other) => other.waitMs - one.waitMs || one.remaining - other.remaining);
    if (!tightest) return;
    announce(tightest, reply);
    if (tightest.waitMs > 0) throw tooManyRequests(tightest);
  };

  const takeFromAddress = async (request: FastifyRequest, reply: FastifyReply, throttle: Throttle, address: Rate) => {
    const buckets = networksOf(addressOf(request)).map(({ network, factor }) => ({
      burst: address.burst * factor,
      perMinute: address.perMinute * factor,
      key: keyOf(throttle.name, 'address', network),
    }));
    await take(buckets, reply);
    request.throttled = { buckets };
  };

  const takeFromAccount = async (request: FastifyRequest, reply: FastifyReply, { name, account: rates }: Throttle) => {
    const account = await rates?.of(request);
    if (!rates || account === undefined) return;
    const { fromOne, fromAll } = rates;
    const keys = accountKeys(name, account, request);
    const isKnown = fromOne !== undefined && (await store.isMarked(keys.known));
    const buckets = [
      ...(fromOne ? [{ ...fromOne, key: keys.fromOne }] : []),
      ...(isKnown ? [] : [{ ...fromAll, key: keys.fromAll }]),
    ];
    await take(buckets, reply);
    request.throttled = { buckets: [...(request.throttled?.buckets ?? []), ...buckets], account };
  };

  const giveBack = async (request: FastifyRequest, reply: FastifyReply, { name }: Throttle) => {
    const { throttled } = request;
    const isOurFault = reply.statusCode >= 500;
    const isSuccess = reply.statusCode < 400;
    if (!throttled || !(isSuccess || isOurFault)) return;
    request.throttled = undefined;
    for (const bucket of throttled.buckets) await store.giveBack(bucket);
    if (isSuccess && throttled.account !== undefined) await recordOwnerAddress(name, throttled.account, request);
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

const accountKeys = (name: string, account: string, request: FastifyRequest) => {
  const network = networksOf(addressOf(request))[0]?.network;
  return {
    fromOne: keyOf(name, 'account and address', `${account} ${network}`),
    fromAll: keyOf(name, 'account', account),
    known: keyOf(name, 'known address', `${account} ${network}`),
  };
};

/** Sends the header fields of draft-ietf-httpapi-ratelimit-headers-03 for the fullest bucket. */
function announce({ burst, remaining, resetMs }: Level, reply: FastifyReply): void {
  reply.headers({
    'ratelimit-limit': String(burst),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(secondsOf(resetMs)),
  });
}
