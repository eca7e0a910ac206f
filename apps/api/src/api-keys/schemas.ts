import { type Static, Type } from '@fastify/type-provider-typebox';
import { apiKeyPrefix } from '../auth/api-key.ts';
import { apiScopes } from '../auth/scopes.ts';
import { closed, Id, nullable, OrganizationParams, OwnerId, oneOf, Timestamp } from '../http/schema.ts';

const name = Type.String({
  minLength: 1,
  maxLength: 100,
  description: 'Name by which its owner recognizes it.',
  examples: ['Nightly import'],
});
const scope = oneOf(apiScopes, { examples: ['tasks:read'] });
const exampleKey = `${apiKeyPrefix}…`;
const key = Type.String({
  minLength: 1,
  maxLength: 500,
  description: 'The key: `quoin_k1_` and 92 characters.',
  examples: [exampleKey],
});

export const NewApiKey = closed(
  {
    name,
    scopes: Type.Array(scope, {
      minItems: 1,
      maxItems: apiScopes.length,
      uniqueItems: true,
      description: 'What the key may do. Each operation says which scope it needs; those without one refuse API keys.',
    }),
    expires_in_days: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 365, description: 'Days until it expires; 90 if not given.' }),
    ),
  },
  { title: 'NewApiKey', examples: [{ name: 'Nightly import', scopes: ['tasks:read', 'tasks:write'] }] },
);
export type NewApiKey = Static<typeof NewApiKey>;

const properties = {
  id: Id('Id of the key.'),
  user_id: Id('Its owner.'),
  organization_id: nullable(Id('The organization whose rows it is for; null if it is for the rows of its owner.')),
  name,
  scopes: Type.Array(Type.String({ examples: ['tasks:read'] }), { description: 'What the key may do.' }),
  created_at: Timestamp('When the key was created.'),
  expires_at: Timestamp('When the key stops working.'),
  last_used_at: nullable(Timestamp('When the key was last used, to the minute; null before its first use.')),
};
export const ApiKey = closed(properties, { title: 'ApiKey' });
export const CreatedApiKey = closed({ ...properties, key }, { title: 'CreatedApiKey' });
export type CreatedApiKey = Static<typeof CreatedApiKey>;
export const ApiKeyList = closed({ items: Type.Array(ApiKey) }, { title: 'ApiKeyList' });
export const ApiKeyParams = closed({ user_id: OwnerId, api_key_id: Id('Id of the key.') });
export const OrganizationApiKeyParams = closed({
  ...OrganizationParams.properties,
  api_key_id: Id('Id of the key.'),
});
export const LeakedApiKey = closed({ key }, { title: 'LeakedApiKey', examples: [{ key: exampleKey }] });
