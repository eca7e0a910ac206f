import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { Problem, type ProblemCode, problems } from './errors.ts';
import { problemBody } from './problem.ts';

// Faults of the HTTP message itself. Node's parser answers them with an empty body; here they get a problem response like every other error.

/** For Fastify's `http` option: `hostCheck` below looks at the header, and answers with a body. */
export const serverOptions = { requireHostHeader: false };

/** Requires exactly one `Host` header (RFC 9112, 3.2), and answers 417 to an expectation other than `100-continue` (RFC 9110, 10.1.1). */
export function protocolChecks(app: FastifyInstance): void {
  app.addHook('onRequest', ({ raw: { rawHeaders, httpVersion } }, reply, done) => {
    let hosts = 0;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? '';
      if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
    }
    if (hosts === 1 || (hosts === 0 && httpVersion === '1.0')) return done();
    reply.header('connection', 'close');
    return done(new Problem('malformed_request', 'Send exactly one Host header.'));
  });
  app.server.on('checkExpectation', (_request, response) => {
    const { status, headers, body } = problemMessage('expectation_failed', 'Only 100-continue can be expected.');
    response.writeHead(status, { ...headers, connection: 'close' }).end(body);
  });
}

const parserCodes: Record<string, ProblemCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
};
const parserDetails: Partial<Record<ProblemCode, string>> = {
  headers_too_large: 'The header fields are larger than 16 KiB.',
  request_timeout: 'The request did not arrive in time.',
};

/** Answers malformed HTTP. There is no request yet, so the response is written to the socket. */
export function clientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = parserCodes[error.code ?? ''] ?? 'malformed_request';
  const { status, headers, body } = problemMessage(code, parserDetails[code] ?? 'The request cannot be understood.');
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}Connection: close\r\n\r\n${body}`);
}

function problemMessage(code: ProblemCode, detail: string) {
  const id = randomUUID();
  const body = JSON.stringify(problemBody(new Problem(code, detail), '', id));
  const headers = {
    'X-Request-Id': id,
    'Content-Type': 'application/problem+json',
    'Content-Length': String(Buffer.byteLength(body)),
  };
  return { status: problems[code].status, headers, body };
}
