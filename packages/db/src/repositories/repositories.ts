import {
  productEmbeddingFactories,
  productOrganizationFactories,
  productOwnerFactories,
  productPublicFactories,
  productSystemFactories,
} from '../product/repositories.ts';
import { account } from './account.ts';
import { accountExports, ownExports } from './account-exports.ts';
import { apiKeys } from './api-keys.ts';
import { auditEvents, organizationEvents, ownAuditEvents } from './audit-events.ts';
import { callers } from './callers.ts';
import { challenges } from './challenges.ts';
import type { Context, OrganizationContext, OwnerContext } from './context.ts';
import { deletedAccounts } from './deleted-accounts.ts';
import { documents } from './documents.ts';
import { documentEmbeddings, organizationDocumentEmbeddings } from './embeddings.ts';
import { erasure } from './erasure.ts';
import { factors } from './factors.ts';
import { idempotencyKeys } from './idempotency-keys.ts';
import { identities } from './identities.ts';
import { incomingWebhooks } from './incoming-webhooks.ts';
import { invitations, invitationTokens } from './invitations.ts';
import { jobQueue, jobs } from './jobs.ts';
import { knownClients } from './known-clients.ts';
import { members } from './members.ts';
import { oneTimeTokens, ownOneTimeTokens } from './one-time-tokens.ts';
import { organization, organizations, ownOrganizations } from './organizations.ts';
import { ownSessions } from './own-sessions.ts';
import { passkeys } from './passkeys.ts';
import { refreshTokens } from './refresh-tokens.ts';
import { tasks } from './tasks.ts';
import { userPreferences } from './user-preferences.ts';
import { userSessions } from './user-sessions.ts';
import { users } from './users.ts';
import { ownWebhookEndpoints, webhookEndpoints } from './webhook-endpoints.ts';

/** The repositories of `database.as(scope)`: rows of the owner in the scope. */
const ownerFactories = {
  account,
  accountExports: ownExports,
  auditEvents: ownAuditEvents,
  documents,
  jobs: jobQueue,
  oneTimeTokens: ownOneTimeTokens,
  organizations: ownOrganizations,
  tasks,
  userPreferences,
  userSessions: ownSessions,
  webhookEndpoints: ownWebhookEndpoints,
  ...productOwnerFactories,
};

/** The repositories of `database.as(scope)` for an organization: rows of the organization in the scope. */
const organizationFactories = {
  auditEvents: organizationEvents,
  documents,
  invitations,
  jobs: jobQueue,
  members,
  organization,
  ...productOrganizationFactories,
};

/** The repositories of `database.public()`: rows that everybody may read. */
const publicFactories = { ...productPublicFactories };

/** Embeddings of the rows of all owners. */
const embeddingFactories = { documentEmbeddings, organizationDocumentEmbeddings, ...productEmbeddingFactories };

/** The names of the repositories that `npm run db -- reembed` goes through. */
export const embeddingNames = Object.keys(embeddingFactories) as EmbeddingName[];
export type EmbeddingName = keyof typeof embeddingFactories;

/** The repositories of `database.system()`: rows of all users. */
const systemFactories = {
  ...embeddingFactories,
  accountExports,
  apiKeys,
  auditEvents,
  callers,
  challenges,
  deletedAccounts,
  erasure,
  factors,
  idempotencyKeys,
  identities,
  incomingWebhooks,
  jobs,
  invitationTokens,
  knownClients,
  oneTimeTokens,
  organizations,
  passkeys,
  refreshTokens,
  userSessions,
  users,
  webhookEndpoints,
  ...productSystemFactories,
};

type Made<Factories extends Record<string, (context: never) => unknown>> = {
  readonly [Name in keyof Factories]: ReturnType<Factories[Name]>;
};
export type OwnerRepositories = Made<typeof ownerFactories>;
export type OrganizationRepositories = Made<typeof organizationFactories>;
export type PublicRepositories = Made<typeof publicFactories>;
/** What users and organizations have alike. */
export type SharedRepositories = Pick<OwnerRepositories, 'documents' | 'jobs'>;
export type SystemRepositories = Made<typeof systemFactories>;

export const ownerRepositories: (context: OwnerContext) => OwnerRepositories = lazily(ownerFactories);
export const organizationRepositories: (context: OrganizationContext) => OrganizationRepositories =
  lazily(organizationFactories);
export const publicRepositories: (context: Context) => PublicRepositories = lazily(publicFactories);
export const systemRepositories: (context: Context) => SystemRepositories = lazily(systemFactories);

/** Creates each repository when it is first used: a unit of work uses two or three of them. */
function lazily<C, Factories extends Record<string, (context: C) => unknown>>(factories: Factories) {
  class Repositories {
    readonly context: C;
    constructor(context: C) {
      this.context = context;
    }
  }
  for (const [name, create] of Object.entries(factories)) {
    Object.defineProperty(Repositories.prototype, name, {
      get(this: Repositories) {
        const value = create(this.context);
        Object.defineProperty(this, name, { value, configurable: true });
        return value;
      },
    });
  }
  return (context: C) => new Repositories(context) as unknown as Made<Factories>;
}
