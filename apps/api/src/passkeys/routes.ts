import { Type } from '@fastify/type-provider-typebox';
import { type SignInAnswer, signInResponses } from '../auth/sign-in-answer.ts';
import type { Config } from '../config/config.ts';
import { clientOf } from '../http/client.ts';
import { freshSeconds } from '../http/errors.ts';
import type { App } from '../http/schema.ts';
import {
  CreationOptions,
  NewPasskey,
  Passkey,
  PasskeyChanges,
  PasskeyList,
  PasskeyParams,
  PasskeySignIn,
  RelatedOrigins,
  RequestOptions,
} from './schemas.ts';
import type { PasskeyService } from './service.ts';

interface Services {
  passkeys: PasskeyService;
  signInAnswer: SignInAnswer;
}

const tags = ['sign-in'];
const nameDefault = 'Passkey';

export function passkeyRoutes(app: App, services: Services): void {
  signInRoutes(app, services);
  registrationRoutes(app, services);
  ownPasskeyRoutes(app, services);
}

function signInRoutes(app: App, { passkeys, signInAnswer }: Services): void {
  const throttle = { name: 'passkey', address: { burst: 100, perMinute: 60 } };
  app.post(
    '/auth/passkey/options',
    {
      schema: {
        operationId: 'beginPasskeySignIn',
        tags,
        summary: 'Get the options for signing in with a passkey',
        description:
          'For `navigator.credentials.get`, also for `POST /auth/mfa` and `POST /auth/step-up`. They work once, for five minutes.',
        response: { 200: RequestOptions },
      },
      config: { public: true, throttle },
    },
    async () => (await passkeys.signInOptions()) as never,
  );

  app.post(
    '/auth/passkey',
    {
      schema: {
        operationId: 'signInWithPasskey',
        tags,
        summary: 'Sign in with a passkey',
        description: 'Counts as two factors, because the device verifies the user.',
        body: PasskeySignIn,
        response: signInResponses,
      },
      config: { public: true, throttle, problems: ['invalid_credentials', 'account_inactive'] },
    },
    async (request, reply) => {
      const { credential, session } = request.body;
      const result = await passkeys.signIn(credential, clientOf(request));
      return signInAnswer(request, reply, result, session);
    },
  );
}

function registrationRoutes(app: App, { passkeys }: Services): void {
  app.post(
    '/users/me/passkeys/options',
    {
      schema: {
        operationId: 'beginPasskey',
        tags,
        summary: 'Get the options for a new passkey',
        description: 'For `navigator.credentials.create`. They work once, for five minutes, in this session.',
        response: { 200: CreationOptions },
      },
      config: { fresh: freshSeconds, hasSecretAnswer: true },
    },
    async ({ scope }) => (await passkeys.registrationOptions(scope)) as never,
  );

  app.post(
    '/users/me/passkeys',
    {
      schema: {
        operationId: 'createPasskey',
        tags,
        summary: 'Add a passkey',
        description: 'From now on, signing in with a password needs a second factor. Your other sessions end.',
        body: NewPasskey,
        response: { 201: Passkey },
      },
    },
    async (request) => {
      const { credential, name = nameDefault } = request.body;
      return passkeys.register(request.scope, credential, name, clientOf(request));
    },
  );
}

function ownPasskeyRoutes(app: App, { passkeys }: Services): void {
  app.get(
    '/users/me/passkeys',
    {
      schema: {
        operationId: 'listPasskeys',
        tags,
        summary: 'List your passkeys',
        description: 'With the time of the last use.',
        response: { 200: PasskeyList },
      },
    },
    async ({ scope }) => passkeys.list(scope),
  );

  app.patch(
    '/users/me/passkeys/:passkey_id',
    {
      schema: {
        operationId: 'updatePasskey',
        tags,
        summary: 'Rename a passkey',
        description: 'The name is for you only.',
        params: PasskeyParams,
        body: PasskeyChanges,
        response: { 200: Passkey },
      },
      config: { fresh: freshSeconds, problems: ['not_found'] },
    },
    async ({ scope, params, body }) => passkeys.rename(scope, params.passkey_id.toLowerCase(), body.name),
  );

  app.delete(
    '/users/me/passkeys/:passkey_id',
    {
      schema: {
        operationId: 'deletePasskey',
        tags,
        summary: 'Remove a passkey',
        description: 'Your other sessions end.',
        params: PasskeyParams,
        response: { 204: Type.Null({ description: 'Removed.' }) },
      },
      config: { fresh: freshSeconds, problems: ['not_found', 'last_sign_in_method'] },
    },
    async (request) => {
      await passkeys.remove(request.scope, request.params.passkey_id.toLowerCase(), clientOf(request));
    },
  );
}

/** The other origins that may use the passkeys of this site, at their well-known path outside of the prefix. */
export function relatedOriginRoutes(app: App, { webauthnOrigins }: Pick<Config, 'webauthnOrigins'>): void {
  app.get(
    '/.well-known/webauthn',
    {
      schema: {
        operationId: 'getRelatedOrigins',
        tags,
        summary: 'List the origins that may use passkeys of this site',
        description: 'Browsers read it (WebAuthn, Related Origin Requests). WEBAUTHN_ORIGINS is the list.',
        response: { 200: RelatedOrigins },
      },
      config: { public: true, cacheable: true, evenWhenOverloaded: true },
    },
    async (_, reply) => {
      reply.header('cache-control', 'public, max-age=300');
      return { origins: webauthnOrigins };
    },
  );
}
