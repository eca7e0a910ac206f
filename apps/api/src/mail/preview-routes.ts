import { Type } from '@fastify/type-provider-typebox';
import { found } from '../http/errors.ts';
import { htmlPage, links, pagePolicy } from '../http/html.ts';
import { type App, closed, oneOf } from '../http/schema.ts';
import type { MailKind } from './kind.ts';
import { mailKinds } from './kinds.ts';
import type { ComposeMail } from './message.ts';
import { languages } from './phrases.ts';

const mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
const html = 'text/html; charset=utf-8';
const example = { token: 'an-example-of-a-token', code: '123456' };
const config = { public: true } as const;

/** The pages under `/dev/mails`, which show every mail with example data. For development only. */
export function mailPreviewRoutes(app: App, { composeMail }: { composeMail: ComposeMail }): void {
  const compose = (kind: MailKind, language: string) => {
    const { token, code } = example;
    const secret = kind.secret === undefined ? {} : kind.secret === 'sign_in_code' ? { code } : { token };
    const cause = { at: new Date(), ipAddress: '203.0.113.9' };
    return composeMail(kind, language, cause, { data: kind.example, secret });
  };

  app.get('/dev/mails', { schema: { hide: true }, config }, async (_request, reply) => {
    const items = mailKinds.flatMap((kind) =>
      languages.flatMap((language) => [
        {
          href: `/dev/mails/${kind.name}/${language}/html`,
          title: compose(kind, language).subject,
          text: `${kind.name}, ${language}`,
        },
      ]),
    );
    const content = `<main><h1>Mails</h1><p>Replace <code>html</code> at the end of an address by <code>text</code> to see the text.</p>${links(items)}</main>`;
    return reply
      .headers({ 'content-type': html, 'content-security-policy': pagePolicy })
      .send(htmlPage('Mails', content));
  });

  const params = closed({
    name: Type.String({ maxLength: 100 }),
    language: oneOf(languages),
    form: oneOf(['html', 'text']),
  });
  app.get('/dev/mails/:name/:language/:form', { schema: { hide: true, params }, config }, async (request, reply) => {
    const { name, language, form } = request.params;
    const message = compose(found(mailKinds.find((kind) => kind.name === name)), language);
    if (form === 'text') return reply.type('text/plain; charset=utf-8').send(`${message.subject}\n\n${message.text}`);
    return reply.headers({ 'content-type': html, 'content-security-policy': mailPolicy }).send(message.html);
  });
}
