export { type Client, type ClientOptions, createClient, type EmailCodeAnswer, type MfaAnswer } from './client.ts';
export type { components, operations, paths } from './openapi.d.ts';
export type { PasskeyCredential, Passkeys, PreparedPasskey, PreparedRegistration } from './passkeys.ts';
export { type ProblemCode, ProblemError } from './problem-error.ts';
export { type AttemptStore, type BeginOptions, ProviderError, type Providers } from './providers.ts';
export type { Credentials, SignInOptions } from './session.ts';
export { browserStore, memoryStore, type TokenStore, type Tokens } from './token-store.ts';
