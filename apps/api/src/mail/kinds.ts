import { registeredMails } from '../product/mails.ts';
import type { MailKind } from './kind.ts';
import { apiKeyCreatedMail } from './kinds/api-key-created.ts';
import { apiKeyExpiresMail } from './kinds/api-key-expires.ts';
import { apiKeyLeakedMail } from './kinds/api-key-leaked.ts';
import { deletionCancelledMail } from './kinds/deletion-cancelled.ts';
import { deletionRequestedMail } from './kinds/deletion-requested.ts';
import { emailChangedMail } from './kinds/email-changed.ts';
import { exportReadyMail } from './kinds/export-ready.ts';
import { factorsRemovedMail } from './kinds/factors-removed.ts';
import { identityLinkedMail } from './kinds/identity-linked.ts';
import { identityUnlinkedMail } from './kinds/identity-unlinked.ts';
import { invitationMail } from './kinds/invitation.ts';
import { newSignInMail } from './kinds/new-sign-in.ts';
import { passkeyAddedMail } from './kinds/passkey-added.ts';
import { passkeyRemovedMail } from './kinds/passkey-removed.ts';
import { passwordChangedMail } from './kinds/password-changed.ts';
import { recoveryCodesReplacedMail } from './kinds/recovery-codes-replaced.ts';
import { resetPasswordMail } from './kinds/reset-password.ts';
import { setPasswordMail } from './kinds/set-password.ts';
import { signInCodeMail } from './kinds/sign-in-code.ts';
import { totpAddedMail } from './kinds/totp-added.ts';
import { totpRemovedMail } from './kinds/totp-removed.ts';
import { usernameChangedMail } from './kinds/username-changed.ts';
import { verifyEmailMail } from './kinds/verify-email.ts';
import { webhookDisabledMail } from './kinds/webhook-disabled.ts';

/** All kinds of mail. A mail that waits is found here by its name. */
export const mailKinds: readonly MailKind[] = [
  resetPasswordMail,
  setPasswordMail,
  verifyEmailMail,
  signInCodeMail,
  passwordChangedMail,
  emailChangedMail,
  usernameChangedMail,
  newSignInMail,
  totpAddedMail,
  totpRemovedMail,
  recoveryCodesReplacedMail,
  passkeyAddedMail,
  passkeyRemovedMail,
  factorsRemovedMail,
  identityLinkedMail,
  identityUnlinkedMail,
  apiKeyCreatedMail,
  apiKeyLeakedMail,
  apiKeyExpiresMail,
  exportReadyMail,
  deletionRequestedMail,
  deletionCancelledMail,
  webhookDisabledMail,
  invitationMail,
  ...registeredMails,
];
