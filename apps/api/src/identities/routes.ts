import { Type } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { type SignInAnswer, signInResponses } from '../auth/sign-in-answer.ts';
import type { Config } from '../config/config.ts';
import { clientOf } from '../http/client.ts';
import { freshSeconds } from '../http/errors.ts';
import { originOf } from '../http/origin.ts';
import type { App } from '../http/schema.ts';
import {
  Exchange,
  IdentityList,
  IdentityParams,
  ProviderAnswer,
  ProviderParams,
  ProviderStart,
  ProviderUrl,
} from './schemas.ts';
import type { Identities } from './service.ts';

interface Services {
  identities: Identities;
  signInAnswer: SignInAnswer;
}

const tags = ['sign-in'];
/** Each step has limits of its own, so that many starts from an address do not block the sign-ins of others there. */
const throttle = (step: string) => ({ name: `provider ${step}`, address: { burst: 100, perMinute: 60 } });

export function identityRoutes(app: App, services: Services, config: Pick<Config, 'publicUrl'>): void {
  /** The redirect URI that is registered with the provider. */
  const callbackOf = (request: FastifyRequest, id: string) =>
    `${originOf(request, config)}${app.prefix}/auth/providers/${id}/callback`;

  startRoute(app, services, callbackOf);
  finishRoutes(app, services);
  ownIdentityRoutes(app, services, callbackOf);
}

type CallbackOf = (request: FastifyRequest, id: string) => string;

function startRoute(app: App, { identities }: Services, callbackOf: CallbackOf): void {
  app.post(
    '/auth/providers/:provider_id/start',
    {
      schema: {
        operationId: 'startProviderSignIn',
        tags,
        summary: 'Begin to sign in with a provider',
        description:
          'Send the browser to `url`. After the sign-in there it returns to APP_URL and `return_to`, with `code` for `POST /auth/exchange`, or with `error`: `access_denied`, `provider_unavailable`, `sign_in_failed` or `invalid_state`. You have ten minutes.',
        params: ProviderParams,
        body: ProviderStart,
        response: { 200: ProviderUrl },
      },
      config: { public: true, throttle: throttle('start'), problems: ['not_found', 'provider_unavailable'] },
    },
    async (request) => {
      const { provider_id } = request.params;
      return { url: await identities.start(provider_id, request.body, callbackOf(request, provider_id)) };
    },
  );
}

function finishRoutes(app: App, { identities, signInAnswer }: Services): void {
  app.get(
    '/auth/providers/:provider_id/callback',
    {
      // A HEAD must not use up the answer of the provider.
      exposeHeadRoute: false,
      schema: {
        operationId: 'receiveProviderCallback',
        tags,
        summary: 'Return from a provider',
        description: 'For the browser only: providers send it here. It goes on to APP_URL.',
        params: ProviderParams,
        querystring: ProviderAnswer,
        response: { 302: Type.Null({ description: 'To APP_URL, with `code` or `error`.' }) },
      },
      config: { public: true, throttle: throttle('callback') },
    },
    async (request, reply) => {
      const { url } = request.raw;
      const search = url?.includes('?') ? url.slice(url.indexOf('?')) : '';
      const page = await identities.receive(request.params.provider_id, request.query.state ?? '', search);
      return reply.redirect(page, 302);
    },
  );

  app.post(
    '/auth/exchange',
    {
      schema: {
        operationId: 'exchangeProviderCode',
        tags,
        summary: 'Finish a sign-in with a provider',
        description:
          'For the client that began it, which has the `code_verifier`. A new identity gets a new account. If its address has an account already, the answer is `email_taken`, unless the provider is trusted with addresses. After `POST /users/me/identities/{provider_id}/start`, it links the identity instead of signing in, and the answer is 204.',
        body: Exchange,
        response: { ...signInResponses, 204: Type.Null({ description: 'Linked; or signed in with a cookie.' }) },
      },
      config: {
        public: true,
        throttle: throttle('exchange'),
        problems: [
          'invalid_credentials',
          'invalid_token',
          'account_inactive',
          'mfa_required',
          'email_taken',
          'identity_taken',
        ],
      },
    },
    async (request, reply) => {
      const { code, code_verifier, session } = request.body;
      const result = await identities.exchange(code, code_verifier, clientOf(request));
      if (result) return signInAnswer(request, reply, result, session);
      reply.code(204);
      return undefined;
    },
  );
}

function ownIdentityRoutes(app: App, { identities }: Services, callbackOf: CallbackOf): void {
  app.get(
    '/users/me/identities',
    {
      schema: {
        operationId: 'listIdentities',
        tags,
        summary: 'List your accounts at providers',
        description: 'The accounts with which you can sign in here.',
        response: { 200: IdentityList },
      },
    },
    async ({ scope }) => identities.list(scope),
  );

  app.post(
    '/users/me/identities/:provider_id/start',
    {
      schema: {
        operationId: 'startIdentityLink',
        tags,
        summary: 'Begin to link an account at a provider',
        description:
          'As `POST /auth/providers/{provider_id}/start`. `POST /auth/exchange` then links the identity to your account, and your other sessions end.',
        params: ProviderParams,
        body: ProviderStart,
        response: { 200: ProviderUrl },
      },
      config: { fresh: freshSeconds, hasSecretAnswer: true, problems: ['not_found', 'provider_unavailable'] },
    },
    async (request) => {
      const { provider_id } = request.params;
      const callback = callbackOf(request, provider_id);
      return { url: await identities.start(provider_id, request.body, callback, request.scope) };
    },
  );

  app.delete(
    '/users/me/identities/:identity_id',
    {
      schema: {
        operationId: 'deleteIdentity',
        tags,
        summary: 'Unlink an account at a provider',
        description: 'Your other sessions end.',
        params: IdentityParams,
        response: { 204: Type.Null({ description: 'Unlinked.' }) },
      },
      config: { fresh: freshSeconds, problems: ['not_found', 'last_sign_in_method'] },
    },
    async (request) => {
      await identities.unlink(request.scope, request.params.identity_id.toLowerCase(), clientOf(request));
    },
  );
}
