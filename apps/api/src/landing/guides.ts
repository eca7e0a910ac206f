import { glob, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md', 'docs/**/*.md', 'packages/*/README.md'];

export interface Guide {
  /** Its path in the repository, and so under /guides/: what one page says of another leads there. */
  path: string;
  title: string;
}

/** The guides that lie beside the code; none where it runs without them, as in a container. */
export async function listGuides(): Promise<Guide[]> {
  const paths = await Array.fromAsync(glob(pages, { cwd: root }));
  return Promise.all(
    paths.sort().map(async (path) => ({ path, title: titleOf(await readFile(`${root}${path}`, 'utf8')) ?? path })),
  );
}

/** A guide as HTML; undefined where there is none of that path. */
export async function readGuide(path: string): Promise<(Guide & { html: string }) | undefined> {
  const paths = await Array.fromAsync(glob(pages, { cwd: root }));
  if (!paths.includes(path)) return undefined;
  const text = await readFile(`${root}${path}`, 'utf8');
  const { Marked } = await import('marked');
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        return `<h${depth} id="${slugOf(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`;
      },
      // Wide tables are scrolled by themselves, and not the page with them.
      table(token) {
        const row = (cells: typeof token.header, tag: string) =>
          `<tr>${cells.map(({ tokens }) => `<${tag}>${this.parser.parseInline(tokens)}</${tag}>`).join('')}</tr>`;
        const head = token.header.some((cell) => cell.text) ? `<thead>${row(token.header, 'th')}</thead>` : '';
        const body = token.rows.map((cells) => row(cells, 'td')).join('\n');
        return `<div class="wide"><table>${head}<tbody>${body}</tbody></table></div>\n`;
      },
    },
  });
  return { path, title: titleOf(text) ?? path, html: await marked.parse(text) };
}

const titleOf = (text: string) => /^# (.+)$/m.exec(text)?.[1];

/** As GitHub names headings, so that a link to one leads there on both. */
const slugOf = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');
