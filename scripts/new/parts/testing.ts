import { type Field, typeOf } from '../field-types.ts';
import type { Names } from '../names.ts';
import type { Resource } from '../resource.ts';
import { createRow, literal, references, sample, uniques, writable } from './fields.ts';

/** Returns the parts of testing.template. */
export function fixtureParts({ names, fields, owner, parent, segment }: Resource) {
  const refs = references(fields);
  const relations = new Map(
    [...refs.map(({ target }) => target), ...(parent ? [parent] : [])].map((one) => [one.path, one]),
  );
  const isOwned = owner.kind !== 'nobody';
  const place = '{ base, token }';
  return {
    'whole body': literal(writable(fields))
      .map((field) => `${field.name}: ${sample(field)}`)
      .join(', '),
    'except references': refs.length > 0 ? ' except ids of other rows' : '',
    'new body function': newBodyFunction(names, fields),
    'fixture imports': [...relations.values()]
      .map((target) => `import { create${target.Singular} } from './${target.path}.ts';\n`)
      .join(''),
    'fixture owner': isOwned ? ', { base, token }: { base: string; token: string }' : '',
    'of a place': isOwned ? ' for the user, or the organization, of a path' : '',
    'fixture targets': [
      ...(isOwned ? [] : ['  const { token } = await api.signUpAdmin();\n']),
      ...(parent ? [`  const ${parent.singular} = ${createRow(parent, place)};\n`] : []),
    ].join(''),
    'fixture collection': parent ? `\${${parent.singular}.path}/${segment}` : `${isOwned ? `\${base}` : ''}/${segment}`,
    'fixture references': refs.map((field) => ` ${field.name}: (${createRow(field.target, place)}).id,`).join(''),
  };
}

function newBodyFunction({ Singular }: Names, fields: Field[]): string {
  const values = uniques(fields).map((field) => `${field.name}: ${typeOf(field).unique?.(field)}`);
  if (values.length === 0) return `export const new${Singular}Body = () => ({ ...whole${Singular} });`;
  return `let n = 0;
/** Returns a body whose unique fields no other row has. */
export const new${Singular}Body = () => {
  n += 1;
  return { ...whole${Singular}, ${values.join(', ')} };
};`;
}
