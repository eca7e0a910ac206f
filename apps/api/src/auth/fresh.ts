import { requireSession } from '@quoin/db';
import type { FastifyInstance } from 'fastify';
import { stepUpRequired } from '../http/errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The caller must have proven who they are within this many seconds: at sign-in, or with `POST /auth/step-up`. */
    fresh?: number;
  }
}

/** Refuses callers on routes that need a recent authentication. The session decides, not the token. */
export function freshOnly(app: FastifyInstance, clock: () => Date): void {
  app.addHook('onRequest', ({ routeOptions, scope }, _reply, done) => {
    const { fresh } = routeOptions.config;
    if (fresh === undefined) return done();
    const ageMs = clock().getTime() - requireSession(scope).authenticatedAt.getTime();
    done(ageMs < fresh * 1000 ? undefined : stepUpRequired(fresh));
  });
}
