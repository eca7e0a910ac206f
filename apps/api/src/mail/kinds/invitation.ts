import { Type } from 'typebox';
import { defineMail } from '../kind.ts';

export const invitationMail = defineMail({
  name: 'invitation',
  lifetimeSeconds: 3 * 86_400,
  data: Type.Object({
    invitation_id: Type.String(),
    organization_id: Type.String(),
    inviter_email: Type.String(),
  }),
  example: {
    invitation_id: '0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d4',
    organization_id: '0199e0f5-7c1e-7b3a-9a53-0f5ce9a1c2d5',
    inviter_email: 'mason@example.com',
  },
  secret: 'invitation',
  page: 'accept-invitation',
  isRequested: true,
  texts: {
    en: ({ site, url, data }) => [
      'You are invited to an organization',
      `${data.inviter_email} invites you to an organization at ${site}.`,
      'To join, sign in with this email address, or register with it, and accept. The link works for seven days:',
      { label: 'Accept the invitation', url },
      'If you do not know the sender, ignore this mail.',
    ],
    de: ({ site, url, data }) => [
      'Einladung in eine Organisation',
      `${data.inviter_email} lädt Sie in eine Organisation bei ${site} ein.`,
      'Um beizutreten, melden Sie sich mit dieser E-Mail-Adresse an oder registrieren sich damit und nehmen an. Der Link gilt sieben Tage lang:',
      { label: 'Einladung annehmen', url },
      'Kennen Sie den Absender nicht, ignorieren Sie diese Mail.',
    ],
  },
});
