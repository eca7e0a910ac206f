// The browser sees one origin.
const proxy = { '/api': process.env.API_URL ?? 'http://127.0.0.1:8000' };

export default { server: { host: 'localhost', proxy }, preview: { host: 'localhost', proxy } };
