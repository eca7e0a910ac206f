import { Type } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import type { Config } from '../config/config.ts';
import { found } from '../http/errors.ts';
import { type App, closed } from '../http/schema.ts';
import { listGuides, readGuide } from './guides.ts';
import { escapeHtml, htmlPage, links, pagePolicy } from './html.ts';

// What a person sees who opens the server in a browser: what it is, and where to go from here. The guides are the developer's, and stay
// at home: in production there are none.

type Dependencies = Pick<Config, 'environment' | 'apiPrefix' | 'hasDocs'> & { isEmbedded: boolean };

export function landingRoutes(app: App, { environment, apiPrefix, hasDocs, isEmbedded }: Dependencies) {
  const hasGuides = environment !== 'production';

  app.get('/', { schema: { hide: true }, config: { public: true, cacheable: true } }, async (_request, reply) => {
    const guides = hasGuides ? await listGuides() : [];
    return html(reply, 'Quoin', landing({ guides, apiPrefix, hasDocs, ...(hasGuides && { isEmbedded }) }));
  });

  if (!hasGuides) return;
  app.get(
    '/guides/*',
    { schema: { hide: true, params: closed({ '*': Type.String() }) }, config: { public: true, cacheable: true } },
    async ({ params }, reply) => {
      const guide = found(await readGuide(params['*']));
      const back = '<p class="soft"><a href="/">Quoin</a></p>';
      return html(reply, guide.title, `<nav>${back}</nav>\n<main>\n${guide.html}</main>`);
    },
  );
}

const html = (reply: FastifyReply, title: string, content: string) =>
  reply
    .headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': pagePolicy })
    .send(htmlPage(title, content));

/** The guides that somebody new looks for, in the order in which they would; the others follow. */
const first = [
  'README.md',
  'docs/adding-a-resource.md',
  'packages/client/README.md',
  'docs/architecture.md',
  'docs/operations.md',
];

function landing({
  guides,
  apiPrefix,
  hasDocs,
  isEmbedded,
}: {
  guides: Awaited<ReturnType<typeof listGuides>>;
  apiPrefix: string;
  hasDocs: boolean;
  isEmbedded?: boolean;
}) {
  const rank = (path: string) => (first.includes(path) ? first.indexOf(path) : first.length);
  const others = guides
    .filter(({ path }) => !path.includes('/decisions/'))
    .sort((one, other) => rank(one.path) - rank(other.path));
  const where =
    isEmbedded === undefined
      ? ''
      : `<p class="soft">Running for development, on ${isEmbedded ? 'the embedded PostgreSQL' : 'the PostgreSQL of <code>DATABASE_URL</code>'}.</p>`;
  return `<main>
<h1>Quoin</h1>
<p>A backend: accounts, sessions, and every user’s own data, in JSON under <code>${escapeHtml(apiPrefix)}</code>.</p>
${where}
${
  hasDocs
    ? links([
        { href: '/docs', title: 'Try the API', text: 'Every route, with a form to sign in and send requests' },
        { href: '/openapi.json', title: 'OpenAPI document', text: 'For generators and other programs' },
      ])
    : ''
}
<h2>Health</h2>
${links([
  { href: '/health', title: 'Process', text: 'Answers as long as it lives' },
  { href: '/health/db', title: 'Database', text: 'Whether it answers' },
  { href: '/health/ready', title: 'Ready', text: 'Whether requests should be sent here' },
])}
${others.length > 0 ? `<h2>Guides</h2>\n${links(others.map(({ path, title }) => ({ href: `/guides/${path}`, title: path === 'README.md' ? 'Start here' : title })))}` : ''}
</main>`;
}
