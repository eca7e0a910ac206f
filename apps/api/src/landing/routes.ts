import { escapeHtml, htmlPage, links, pagePolicy } from '../http/html.ts';
import type { App } from '../http/schema.ts';

interface Options {
  environment: string;
  apiPrefix: string;
  hasDocs: boolean;
  isEmbedded: boolean;
}

/** The page at `/`, for people who open the server in a browser. */
export function landingRoutes(app: App, options: Options) {
  const page = htmlPage('Quoin', content(options));
  app.get('/', { schema: { hide: true }, config: { public: true, cacheable: true } }, async (_request, reply) =>
    reply.headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': pagePolicy }).send(page),
  );
}

function content({ environment, apiPrefix, hasDocs, isEmbedded }: Options) {
  const database = isEmbedded ? 'the embedded PostgreSQL' : 'the PostgreSQL server of <code>DATABASE_URL</code>';
  return `<main>
<h1>Quoin</h1>
<p>The API is under <code>${escapeHtml(apiPrefix)}</code>.</p>
${environment === 'production' ? '' : `<p class="soft">Development server with ${database}.</p>`}
${
  hasDocs
    ? links([
        { href: '/docs', title: 'API documentation', text: 'Every route, with a form to sign in and send requests' },
        { href: '/openapi.json', title: 'OpenAPI document', text: 'For code generators and other tools' },
      ])
    : ''
}
<h2>Health</h2>
${links([
  { href: '/health', title: 'Process', text: 'The process is running' },
  { href: '/health/db', title: 'Database', text: 'The database answers' },
  { href: '/health/ready', title: 'Readiness', text: 'The server accepts requests' },
])}
</main>`;
}
