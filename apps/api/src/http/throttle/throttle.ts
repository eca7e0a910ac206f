import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { addressOf, networksOf } from '../address.ts';
import { keyOf, secondsOf, tooManyRequests } from './limiter.ts';
import type { Bucket, Level, Rate, ThrottleStore } from './memory-store.ts';

// Slows guessing down. Each route says how much it accepts from one address and for one account; docs/security.md says what that means for an attacker,
// and for the owner of an account that is attacked.

export interface Throttle {
  /** Routes of one name share their buckets. */
  name: string;
  /** From one address, checked before anything else. An IPv6 /64 counts as one address, its /56 as 4 and its /48 as 16. */
  address?: Rate;
  /** For one account, checked once the request is valid. */
  account?: {
    /** Returns what names the account; undefined if the request is about none. An account that does not exist has a name too. */
    of: (request: FastifyRequest) => string | undefined | Promise<string | undefined>;
    /** From one address. */
    fromOne?: Rate;
    /** From all addresses together, except those from which the account was signed in to in the last 30 days. */
    fromAll: Rate;
  };
  /**
   * A success takes no room, empties the account's buckets, and makes its address known to the account. A failure of the server takes no room.
   */
  countsFailures?: boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    throttle?: Throttle;
  }
  interface FastifyRequest {
    /** The room that this request has taken, until its outcome is known. */
    throttled: { buckets: Bucket[]; account?: string } | undefined;
  }
  interface FastifyInstance {
    /** Makes the address of a request known to the account, as a sign-in does: its owner has proven their identity in another way. */
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

/** The header fields of draft-ietf-httpapi-ratelimit-headers-03, for the bucket that has the least room. */
function announce({ burst, remaining, resetMs }: Level, reply: FastifyReply): void {
  reply.headers({
    'ratelimit-limit': String(burst),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(secondsOf(resetMs)),
  });
}
