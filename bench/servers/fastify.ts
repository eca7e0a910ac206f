import Fastify from 'fastify';

// Lower bound of the start time: bare Fastify.

const app = Fastify();
app.get('/', async () => 'hello, world');
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
