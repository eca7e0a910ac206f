// The list of a generated repository.

/** @param condition of the owner, as a chained call */
export const plainList = (
  table: string,
  condition: string,
) => `    /** Newest first, from the primary key in its order. */
    list: async (page: PageRequest) => {
      const own = (page.skip === undefined ? fast : db).selectFrom('${table}').select(columns)${condition};
      return { rows: await paged(own, page).execute() };
    },`;

export const filteredList = (
  Singular: string,
  table: string,
  names: string[],
  conditions: string[],
  condition: string,
) => `    /**
     * Newest first. Without a filter, reads the page from the primary key in its order. A filter looks at \`scannedMax\` rows.
     *
     * @returns \`scannedTo\`: the id of the last row that the filter looked at, if more follow and the page is not full
     */
    list: async ({ ${names.join(', ')}, after, ...page }: ${Singular}Filter & PageRequest) => {
      const isFiltered = ${names.map((name) => `${name} !== undefined`).join(' || ')};
      const own = (isFiltered || page.skip !== undefined ? db : fast)
        .selectFrom('${table}')
        .select(columns)${condition};
      if (!isFiltered) return { rows: await paged(own, { ...page, after }).execute(), scannedTo: undefined };
      // First, so that rows that are deleted meanwhile do not move it past rows that were not looked at.
      const last = await scanned(db.selectFrom('${table}').select('id')${condition}, after)
        .offset(scannedMax - 1)
        .executeTakeFirst();
      let query = db.selectFrom(scanned(own, after).as('${table}')).selectAll();
      if (last) query = query.where('id', '>=', last.id);
${conditions.join('\n')}
      const rows = await paged(query, page).execute();
      return { rows, scannedTo: rows.length > page.limit ? undefined : last?.id };
    },`;
