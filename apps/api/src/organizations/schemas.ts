import { type Static, Type } from '@fastify/type-provider-typebox';
import { auditActions, organizationRoles } from '@quoin/db';
import { pageOf, pageQuery } from '../http/page.ts';
import { changesOf, closed, Id, nullable, OrganizationParams, oneOf, Timestamp } from '../http/schema.ts';

const role = oneOf(organizationRoles, {
  description:
    '`member` uses the organization, `admin` also manages members, invitations and API keys, `owner` can also delete it.',
  examples: ['member'],
});

const properties = {
  name: Type.String({
    minLength: 1,
    maxLength: 100,
    pattern: '^[^\\p{Cc}]*\\S[^\\p{Cc}]*$',
    description: 'Display name: not blank, one line.',
    examples: ['The Masons'],
  }),
  slug: nullable(
    Type.String({
      minLength: 2,
      maxLength: 63,
      pattern: '^[a-z0-9]+(-[a-z0-9]+)*$',
      description: 'A name for URLs: lower-case letters, digits and single hyphens. Unique.',
      examples: ['the-masons'],
    }),
  ),
};

export const Organization = closed(
  {
    id: Id('Id of the organization.'),
    ...properties,
    role: { ...role, description: 'Your role in it.' },
    created_at: Timestamp('When the organization was created.'),
    updated_at: Timestamp('When the organization was last changed.'),
  },
  { title: 'Organization' },
);
export const OrganizationPage = pageOf('OrganizationPage', Organization);

export const NewOrganization = closed(
  { name: properties.name, slug: Type.Optional(properties.slug) },
  { title: 'NewOrganization', examples: [{ name: 'The Masons', slug: 'the-masons' }] },
);
export type NewOrganization = Static<typeof NewOrganization>;
export const OrganizationChanges = changesOf(properties, {
  title: 'OrganizationChanges',
  examples: [{ name: 'The Master Masons' }],
});
export type OrganizationChanges = Static<typeof OrganizationChanges>;

export const PageQuery = closed(pageQuery);
export type PageQuery = Static<typeof PageQuery>;

export const Member = closed(
  {
    user_id: Id('Id of the member.'),
    role,
    email: Type.String({ description: 'Email of the member.', examples: ['mason@example.com'] }),
    username: nullable(Type.String({ description: 'Username of the member.', examples: ['mason'] })),
    full_name: nullable(Type.String({ description: 'Display name of the member.', examples: ['Erika Mason'] })),
    created_at: Timestamp('When the member joined.'),
    updated_at: Timestamp('When the role was last changed.'),
  },
  { title: 'Member' },
);
export const MemberPage = pageOf('MemberPage', Member);
export const MemberChanges = closed({ role }, { title: 'MemberChanges', examples: [{ role: 'admin' }] });
export type MemberChanges = Static<typeof MemberChanges>;
export const MemberParams = closed({ ...OrganizationParams.properties, user_id: Id('Id of the member.') });
export const LeavingParams = closed({
  ...OrganizationParams.properties,
  user_id: Type.Union([Type.Literal('me'), Type.String({ format: 'uuid' })], {
    description: '`me`, or the id of a member.',
    examples: ['me'],
  }),
});

const email = Type.String({
  format: 'email',
  maxLength: 255,
  description: 'Address that is invited.',
  examples: ['apprentice@example.com'],
});
export const Invitation = closed(
  {
    id: Id('Id of the invitation.'),
    organization_id: Id('Id of the organization.'),
    email,
    role,
    invited_by: Id('The member who sent it.'),
    created_at: Timestamp('When it was sent.'),
    expires_at: Timestamp('When it expires.'),
  },
  { title: 'Invitation' },
);
export const InvitationPage = pageOf('InvitationPage', Invitation);
export const NewInvitation = closed(
  { email, role },
  { title: 'NewInvitation', examples: [{ email: 'apprentice@example.com', role: 'member' }] },
);
export type NewInvitation = Static<typeof NewInvitation>;
export const InvitationParams = closed({
  ...OrganizationParams.properties,
  invitation_id: Id('Id of the invitation.'),
});
export const AcceptedInvitation = closed(
  {
    token: Type.String({ minLength: 1, maxLength: 500, description: 'The `token` of the link.', examples: ['Zm9v…'] }),
  },
  { title: 'AcceptedInvitation', examples: [{ token: 'Zm9v…' }] },
);

export const OrganizationEvent = closed(
  {
    id: Id('Id of the event.'),
    action: oneOf(auditActions, { description: 'What happened.', examples: ['member_removed'] }),
    user_id: nullable(Id('The member whom the event concerns.')),
    actor_id: nullable(Id('The user who acted.')),
    details: Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      additionalProperties: true,
      description: 'More facts, by action.',
      examples: [{ role: 'member' }],
    }),
    created_at: Timestamp('When it happened.'),
  },
  { title: 'OrganizationEvent' },
);
export const OrganizationEventPage = pageOf('OrganizationEventPage', OrganizationEvent);
