import type { Resource } from '../resource.ts';
import { filtered, isReadByAll, searched } from './fields.ts';

// The list of a generated repository.

/** Returns what a list is filtered by. `narrowing`: through an index, and not row by row. */
export function listFilters({ fields, isSearchable }: Pick<Resource, 'fields' | 'isSearchable'>) {
  const filters = filtered(fields);
  const hasText = searched(fields).length > 0;
  const narrowing = filters.filter(({ type }) => type === 'ref').map(({ name }) => name);
  const scanning = filters.filter(({ type }) => type !== 'ref').map(({ name }) => name);
  if (hasText) (isSearchable ? narrowing : scanning).push('q');
  return { hasText, narrowing, scanning, names: [...filters.map(({ name }) => name), ...(hasText ? ['q'] : [])] };
}

interface ListContext {
  resource: Resource;
  /** Conditions that every statement has, as chained calls. */
  condition: string;
}

/** Returns the list as code. */
export function listOf({ resource, condition }: ListContext): string {
  const { sorts } = resource;
  const { narrowing, scanning } = listFilters(resource);
  if (sorts.length > 0) return sortedList({ resource, condition });
  if (narrowing.length > 0) return narrowedList({ resource, condition });
  return scanning.length > 0 ? filteredList({ resource, condition }) : plainList({ resource, condition });
}

const parentParameter = ({ parent }: Resource) => (parent ? `${parent.singular}Id: string, ` : '');

const plainList = ({ resource, condition }: ListContext) => `    /** Newest first, from an index in its order. */
    list: async (${parentParameter(resource)}page: PageRequest) => {
      const own = (page.skip === undefined ? fast : db).selectFrom('${resource.names.table}').select(columns)${condition};
      return { rows: await paged(own, page).execute() };
    },`;

const scannedComment = `     *
     * @returns \`scannedTo\`: the id of the last row that the filter looked at, if more follow and the page is not full
     */`;

const filteredList = ({ resource, condition }: ListContext) => {
  const { names } = resource;
  const { scanning } = listFilters(resource);
  return `    /**
     * Newest first. Without a filter, reads the page from the primary key in its order. A filter looks at \`scannedMax\` rows.
${scannedComment}
    list: async (${parentParameter(resource)}{ ${scanning.join(', ')}, after, ...page }: ${names.Singular}Filter & PageRequest) => {
      const isFiltered = ${scanning.map((name) => `${name} !== undefined`).join(' || ')};
      const own = (isFiltered || page.skip !== undefined ? db : fast)
        .selectFrom('${names.table}')
        .select(columns)${condition};
      if (!isFiltered) return { rows: await paged(own, { ...page, after }).execute(), scannedTo: undefined };
      // First, so that rows that are deleted meanwhile do not move it past rows that were not looked at.
      const last = await scanned(db.selectFrom('${names.table}').select('id')${condition}, after)
        .offset(scannedMax - 1)
        .executeTakeFirst();
      let query = db.selectFrom(scanned(own, after).as('${names.table}')).selectAll();
      if (last) query = query.where('id', '>=', last.id);
${conditionsOn('query', resource, scanning)}
      const rows = await paged(query, page).execute();
      return { rows, scannedTo: rows.length > page.limit ? undefined : last?.id };
    },`;
};

const narrowedList = ({ resource, condition }: ListContext) => {
  const { names } = resource;
  const { narrowing, scanning } = listFilters(resource);
  const head = `    list: async (${parentParameter(resource)}{ ${[...narrowing, ...scanning].join(', ')}, after, ...page }: ${names.Singular}Filter & PageRequest) => {
      let own = db.selectFrom('${names.table}').select(columns)${condition};
${conditionsOn('own', resource, narrowing)}`;
  if (scanning.length === 0)
    return `    /** Newest first. */
${head}
      return { rows: await paged(own, { ...page, after }).execute() };
    },`;
  return `    /**
     * Newest first. ${narrowing.map((name) => `\`${name}\``).join(' and ')} use an index; another filter looks at \`scannedMax\` rows.
${scannedComment}
${head}
      const isFiltered = ${scanning.map((name) => `${name} !== undefined`).join(' || ')};
      if (!isFiltered) return { rows: await paged(own, { ...page, after }).execute(), scannedTo: undefined };
      // First, so that rows that are deleted meanwhile do not move it past rows that were not looked at.
      const last = await scanned(own.clearSelect().select('id'), after)
        .offset(scannedMax - 1)
        .executeTakeFirst();
      let query = db.selectFrom(scanned(own, after).as('${names.table}')).selectAll();
      if (last) query = query.where('id', '>=', last.id);
${conditionsOn('query', resource, scanning)}
      const rows = await paged(query, page).execute();
      return { rows, scannedTo: rows.length > page.limit ? undefined : last?.id };
    },`;
};

const sortedList = ({ resource, condition }: ListContext) => {
  const { names } = resource;
  const { narrowing, scanning } = listFilters(resource);
  const parameters = [...narrowing, ...scanning];
  const request = parameters.length > 0 ? `{ ${parameters.join(', ')}, ...page }` : 'page';
  const type = parameters.length > 0 ? `${names.Singular}Filter & SortedPageRequest` : 'SortedPageRequest';
  const head = `    list: async (${parentParameter(resource)}${request}: ${type}) => {
      ${narrowing.length + scanning.length > 0 ? 'let' : 'const'} own = db.selectFrom('${names.table}').select(columns).select(sortValue(page.sort))${condition};
${conditionsOn('own', resource, narrowing)}`;
  if (scanning.length === 0)
    return `    /** In the order of the request, from an index. */
${head}
      return { rows: await sortedPage(own, page).execute() };
    },`;
  return `    /**
     * In the order of the request. Without a filter, reads the page from an index. A filter looks at \`scannedMax\` rows.
     *
     * @returns \`scannedTo\`: the last row that the filter looked at, if more follow and the page is not full
     */
${head}
      let last: Position | undefined;
      if (${scanning.map((name) => `${name} !== undefined`).join(' || ')}) {
        last = await lastScanned(own.clearSelect().select(['id', sortValue(page.sort)]), page).executeTakeFirst();
        if (last) own = own.where(isUpTo(page, last));
      }
${conditionsOn('own', resource, scanning)}
      const rows = await sortedPage(own, page).execute();
      return { rows, scannedTo: rows.length > page.limit ? undefined : last };
    },`;
};

/** Returns a statement per filter that adds its condition to a query. */
function conditionsOn(query: string, { fields, isSearchable, owner }: Resource, names: string[]): string {
  return names
    .map((name) => {
      if (name !== 'q') return `      if (${name} !== undefined) ${query} = ${query}.where('${name}', '=', ${name});`;
      const usesIndex = isSearchable && isReadByAll(owner);
      const contains = searched(fields).map((field) =>
        usesIndex ? `isLike('${field.name}', patternOf(q))` : `containsText('${field.name}', q)`,
      );
      const condition = contains.length > 1 ? `({ or }) => or([${contains.join(', ')}])` : contains[0];
      return `      if (q !== undefined) ${query} = ${query}.where(${condition});`;
    })
    .join('\n');
}

/** Returns the functions of `page.ts` and `sorted-page.ts` that the list uses. */
export function listImports(resource: Resource): string {
  const { sorts, isSearchable, owner } = resource;
  const { hasText, scanning } = listFilters(resource);
  const text = !hasText ? [] : isSearchable && isReadByAll(owner) ? ['isLike', 'patternOf'] : ['containsText'];
  const page =
    sorts.length > 0
      ? text
      : [...text, 'type PageRequest', 'paged', ...(scanning.length > 0 ? ['scanned', 'scannedMax'] : [])];
  const sorted = [
    ...(scanning.length > 0 ? ['isUpTo', 'lastScanned', 'type Position'] : []),
    'sortedPage',
    'type SortedPageRequest',
    'sortValue',
  ];
  return [
    ...(page.length > 0 ? [`import { ${page.join(', ')} } from './page.ts';\n`] : []),
    ...(sorts.length > 0 ? [`import { ${sorted.join(', ')} } from './sorted-page.ts';\n`] : []),
  ].join('');
}
