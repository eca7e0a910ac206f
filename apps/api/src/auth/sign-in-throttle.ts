import { normalizeEmail } from '../http/email.ts';
import type { Throttle } from '../http/throttle/throttle.ts';
import type { Account, Auth } from './service.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The account that a sign-in names; null until the rate limit has looked it up, and undefined if no account has the name. */
    account: Account | null;
  }
}

/**
 * Limits guesses of passwords. The routes that take passwords share the buckets.
 *
 * @param nameOf returns the email or username in a body; undefined if the request is no sign-in
 */
export const signInThrottle = (auth: Auth, nameOf: (body: unknown) => string | undefined): Throttle => ({
  name: 'login',
  address: { burst: 100, perMinute: 30 },
  account: {
    // By id, so that guesses by email and by username fill one bucket.
    of: async (request) => {
      const name = nameOf(request.body);
      if (name === undefined) return undefined;
      request.account = await auth.findAccount(name);
      return request.account ? request.account.id : `name ${normalizeEmail(name)}`;
    },
    fromOne: { burst: 10, perMinute: 6 },
    fromAll: { burst: 100, perMinute: 1 },
  },
  countsFailures: true,
});
