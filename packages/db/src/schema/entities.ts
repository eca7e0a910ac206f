import { productEntities } from '../product/entities.ts';
import { AccountExportPartSchema, AccountExportSchema } from './account-export.ts';
import { ApiKeySchema } from './api-key.ts';
import { AuditEventSchema } from './audit-event.ts';
import { ChallengeSchema } from './challenge.ts';
import { DocumentSchema } from './document.ts';
import { IdempotencyKeySchema } from './idempotency-key.ts';
import { IdentitySchema } from './identity.ts';
import { IncomingWebhookSchema } from './incoming-webhook.ts';
import { InvitationSchema } from './invitation.ts';
import { KnownClientSchema } from './known-client.ts';
import { MembershipSchema } from './membership.ts';
import { OneTimeTokenSchema } from './one-time-token.ts';
import { OrganizationSchema } from './organization.ts';
import { OrganizationDocumentSchema } from './organization-document.ts';
import { PasskeySchema } from './passkey.ts';
import { RecoveryCodeSchema } from './recovery-code.ts';
import { TaskSchema } from './task.ts';
import { TotpSchema } from './totp.ts';
import { UserSchema } from './user.ts';
import { UserPreferencesSchema } from './user-preferences.ts';
import { UserSessionSchema } from './user-session.ts';
import { WebhookEndpointSchema } from './webhook-endpoint.ts';

/** All entities. MikroORM, a development dependency, generates migrations from them. */
export const entities = [
  UserSchema,
  UserSessionSchema,
  UserPreferencesSchema,
  TaskSchema,
  DocumentSchema,
  OneTimeTokenSchema,
  AuditEventSchema,
  IdempotencyKeySchema,
  ChallengeSchema,
  TotpSchema,
  RecoveryCodeSchema,
  PasskeySchema,
  KnownClientSchema,
  IdentitySchema,
  ApiKeySchema,
  AccountExportSchema,
  AccountExportPartSchema,
  IncomingWebhookSchema,
  WebhookEndpointSchema,
  OrganizationSchema,
  MembershipSchema,
  InvitationSchema,
  OrganizationDocumentSchema,
  ...productEntities,
];
