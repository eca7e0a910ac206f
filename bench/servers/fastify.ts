import Fastify from 'fastify';

// What starting costs at least, with the framework.

const app = Fastify();
app.get('/', async () => 'hello, world');
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
