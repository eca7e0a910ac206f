import { createServer } from 'node:http';

// What Node's HTTP server can do at most: nothing but an answer.

createServer((_request, response) => response.end('hello, world')).listen(Number(process.env.PORT), '127.0.0.1');
