import { createServer } from 'node:http';

// Upper bound of the throughput: Node's HTTP server with a constant response.

createServer((_request, response) => response.end('hello, world')).listen(Number(process.env.PORT), '127.0.0.1');
