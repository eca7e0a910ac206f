import type { Resource } from '../resource.ts';

// Pieces that several routes have.

export const throttleOf = (name: string, rate: number) =>
  `throttle: { name: '${name}', address: { burst: ${rate}, perMinute: ${rate} } },`;

export const problemsOf = (codes: string[]) =>
  codes.length > 0 ? `problems: [${codes.map((code) => `'${code}'`).join(', ')}],` : '';

export const concurrencyOf = (words: string) => `
        // Looks at thousands of rows.
        concurrency: { name: '${words} by text', perUser: 2, when: ({ query }) => 'q' in (query as object) },`;

interface SearchRoute {
  operation: string;
  resource: Resource;
  params: string;
  results: string;
  access: string;
  problems: string;
  call: string;
}

export const searchRouteText = ({ operation, resource, params, results, access, problems, call }: SearchRoute) => `
  app.post(
    \`\${collection}/search\`,
    {
      schema: {
        operationId: '${operation}',
        tags: ['${resource.names.path}'],
        summary: 'Search ${resource.names['plural words']} by meaning',
        description: 'Nearest first. A new row is found once a job has computed its embedding.',${params}
        body: RowSearch,
        response: { 200: ${results} },
      },
      config: { ${access} isReadOnly: true, problems: [${problems}] },
    },
    ${call},
  );
`;
