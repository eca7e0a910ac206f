import { type Static, Type } from '@fastify/type-provider-typebox';
import { defaultPreferences } from '@quoin/db';
import { changesOf, closed, nullable, oneOf, Timestamp } from '../http/schema.ts';

const properties = {
  theme: oneOf(['system', 'light', 'dark'], { description: 'Color theme.', examples: ['dark'] }),
  locale: Type.String({ 'x-format': 'bcp47', maxLength: 85, description: 'BCP 47 language tag.', examples: ['de-CH'] }),
  timezone: Type.String({
    'x-format': 'timezone',
    maxLength: 64,
    description: 'IANA time zone name.',
    examples: ['Europe/Zurich'],
  }),
  email_notifications: Type.Boolean({
    description: 'Whether the product may send mail that the user did not request.',
    examples: [true],
  }),
  settings: Type.Unsafe<Record<string, unknown>>({
    type: 'object',
    additionalProperties: true,
    'x-bytes-max': 65_536,
    'x-values-max': 2_000,
    description: 'Settings of the product: a JSON object of at most 64 KiB and 2,000 values.',
    examples: [{ sidebar: 'left' }],
  }),
};

export const Preferences = closed(
  {
    ...properties,
    updated_at: nullable(Timestamp('When the preferences were last changed; null before the first change.')),
  },
  { title: 'Preferences' },
);

const example = { examples: [{ theme: 'dark', locale: 'de-CH', timezone: 'Europe/Zurich' }] };

export const PreferenceChanges = changesOf(properties, { title: 'PreferenceChanges', ...example });
export type PreferenceChanges = Static<typeof PreferenceChanges>;

export const NewPreferences = changesOf(properties, {
  title: 'NewPreferences',
  description: `Fields that are not sent become ${JSON.stringify(defaultPreferences)}.`,
  ...example,
});
