/** Returns the singular of an English plural; undefined if it is not regular. */
export function singularOf(plural: string): string | undefined {
  if (/ies$/.test(plural)) return plural.replace(/ies$/, 'y');
  if (/(ss|x|ch|sh)es$/.test(plural)) return plural.replace(/es$/, '');
  return /[^s]s$/.test(plural) ? plural.replace(/s$/, '') : undefined;
}

export const camel = (text: string) => text.replace(/[-_](.)/g, (_, letter: string) => letter.toUpperCase());
export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Returns the names of a resource in code, paths and texts. */
export function namesOf({ path, singularPath }: { path: string; singularPath: string }) {
  const words = (text: string) => text.replaceAll('-', ' ');
  const article = /^[aeiou]/.test(singularPath) ? 'an' : 'a';
  return {
    path,
    table: path.replaceAll('-', '_'),
    plural: camel(path),
    singular: camel(singularPath),
    Plural: capital(camel(path)),
    Singular: capital(camel(singularPath)),
    singularPath,
    singular_id: `${singularPath.replaceAll('-', '_')}_id`,
    'plural words': words(path),
    'Plural words': capital(words(path)),
    'singular words': words(singularPath),
    'a singular': `${article} ${words(singularPath)}`,
    'A singular': `${capital(article)} ${words(singularPath)}`,
  };
}

export type Names = ReturnType<typeof namesOf>;
