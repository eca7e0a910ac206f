import type { CookieKeys } from '@quoin/db';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Config } from '../config/config.ts';
import { Problem } from '../http/errors.ts';
import type { RefreshToken, RefreshTokens, SessionKeys } from './refresh-token.ts';

// Sessions of browsers in a cookie that scripts cannot read. Its value has the form of a refresh token, but does not rotate: the session decides whether it is alive.

const safeMethods = ['GET', 'HEAD', 'OPTIONS'];
/** Requests that were under way when the value changed can still use the previous one. */
const graceMs = 10_000;

interface Dependencies {
  /** With the key for cookies. */
  cookieValues: RefreshTokens;
  config: Pick<Config, 'appUrl' | 'corsOrigins' | 'sessionSeconds'>;
  clock: () => Date;
}

export function createSessionCookie({ cookieValues, config, clock }: Dependencies) {
  const trusted = new Set([new URL(config.appUrl).origin, ...config.corsOrigins.filter((origin) => origin !== '*')]);

  const isSameSite = ({ headers }: FastifyRequest) =>
    headers['sec-fetch-site'] === 'same-origin' || trusted.has(headers.origin ?? '');

  return {
    /** Whether the request has a session cookie. */
    isSent: (request: FastifyRequest): boolean => read(request) !== undefined,

    /** Returns the session that the cookie names; undefined if this server did not create it. */
    parse: (request: FastifyRequest): RefreshToken | undefined => {
      const value = read(request);
      return value === undefined ? undefined : cookieValues.parse(value);
    },

    /**
     * Returns whether the cookie has the current value of its session, or had it until a moment ago. Undefined if neither. A new proof makes only the current value fresh:
     * the browser that sent the proof has it, and a thief has the previous one.
     */
    ageOf: (cookie: RefreshToken, session: CookieKeys): 'current' | 'previous' | undefined => {
      const { generation, token_secret, rotated_at } = session;
      if (!cookieValues.isSealOf(cookie, Buffer.from(token_secret, 'hex'))) return undefined;
      if (cookie.generation === generation) return 'current';
      const isPrevious = cookie.generation === generation - 1 && rotated_at !== null;
      return isPrevious && clock().getTime() - new Date(rotated_at).getTime() < graceMs ? 'previous' : undefined;
    },

    /**
     * Refuses a request that a page of another site may have caused: browsers send the cookie with those as well.
     *
     * @throws Problem `csrf_failed`
     */
    requireSameSite: (request: FastifyRequest): void => {
      if (safeMethods.includes(request.method) || isSameSite(request)) return;
      throw new Problem(
        'csrf_failed',
        'With a session cookie, this method needs `Sec-Fetch-Site: same-origin`, or an Origin that is APP_URL’s or in CORS_ORIGINS.',
      );
    },

    /** Sends the current value of a session. */
    set: (request: FastifyRequest, reply: FastifyReply, session: SessionKeys): void => {
      reply.setCookie(nameFor(request), cookieValues.create(session), {
        ...attributesFor(request),
        maxAge: Math.floor(config.sessionSeconds),
      });
    },

    /** Removes the cookie, unless a page of another site may have caused the request. */
    remove: (request: FastifyRequest, reply: FastifyReply): void => {
      if (isSameSite(request)) remove(request, reply);
    },

    /** Removes the cookie, and what the browser has stored of the site. */
    signOut: (request: FastifyRequest, reply: FastifyReply): void => {
      remove(request, reply);
      reply.header('clear-site-data', '"cache", "cookies", "storage"');
    },
  };
}

function remove(request: FastifyRequest, reply: FastifyReply): void {
  reply.clearCookie(nameFor(request), attributesFor(request));
}

export type SessionCookie = ReturnType<typeof createSessionCookie>;

/** Browsers drop Secure cookies over plain HTTP, so loopback uses another name. */
const isPlainLoopback = ({ protocol, hostname, headers }: FastifyRequest): boolean =>
  protocol === 'http' &&
  headers['x-forwarded-proto'] !== 'https' &&
  /^(localhost|127\.0\.0\.1|\[::1\]|.+\.localhost)$/.test(hostname);

const nameFor = (request: FastifyRequest): string =>
  isPlainLoopback(request) ? 'quoin_session' : '__Host-quoin_session';

const attributesFor = (request: FastifyRequest) => ({
  path: '/',
  secure: !isPlainLoopback(request),
  httpOnly: true,
  sameSite: 'lax' as const,
});

const read = (request: FastifyRequest): string | undefined => request.cookies[nameFor(request)];
