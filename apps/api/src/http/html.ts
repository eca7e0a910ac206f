import { createHash } from 'node:crypto';

const style = `
:root { color-scheme: light dark; --ink: light-dark(#1d2326, #e6e3dc); --paper: light-dark(#fbfaf7, #16191b);
  --soft: light-dark(#5d666b, #a2a8ab); --line: light-dark(#dedad1, #30363a); --link: light-dark(#0b5c73, #7cc7dd);
  --code: light-dark(#f0ede5, #202528); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 2.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.6 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { margin: 0 0 .5rem; font-size: 2rem; line-height: 1.2; letter-spacing: -.01em; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.25rem; line-height: 1.3; }
p { margin: .75rem 0; }
a { color: var(--link); text-underline-offset: .15em; }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.soft { color: var(--soft); }
ul.links { margin: 0; padding: 0; list-style: none; border-top: 1px solid var(--line); }
ul.links li { border-bottom: 1px solid var(--line); }
ul.links a { display: block; padding: .75rem 0; font-weight: 600; text-decoration: none; }
ul.links a:hover span:first-child { text-decoration: underline; }
ul.links span + span { display: block; color: var(--soft); font-weight: 400; font-size: .9375rem; }
code { font: .875rem/1.55 ui-monospace, monospace; ; padding: .1em .3em; background: var(--code); border-radius: .25rem; }
`;

const hash = createHash('sha256').update(style).digest('base64');

/** Allows only the style of the page. Nothing is upgraded to https: that is up to the proxy. */
export const pagePolicy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** Returns a page. `content` is HTML. */
export const htmlPage = (title: string, content: string) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
${content}
</body>
</html>
`;

/** Returns a list of links with descriptions. */
export const links = (items: readonly { href: string; title: string; text?: string }[]) =>
  `<ul class="links">
${items
  .map(
    ({ href, title, text }) =>
      `<li><a href="${escapeHtml(href)}"><span>${escapeHtml(title)}</span>${text ? `<span>${escapeHtml(text)}</span>` : ''}</a></li>`,
  )
  .join('\n')}
</ul>`;

export const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
