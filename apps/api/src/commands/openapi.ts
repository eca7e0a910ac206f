import { randomBytes } from 'node:crypto';
import { connect } from '@quoin/db';
import { buildApp } from '../app.ts';
import { parseConfig } from '../config/config.ts';

// Prints the OpenAPI document, as GET /openapi.json answers it. Nothing is connected: a server's database connects on first use.

const database = await connect('postgres://localhost/none');
const app = await buildApp(parseConfig({ SECRET_KEY: randomBytes(32).toString('base64') }), database, {});
await app.ready();
process.stdout.write(`${JSON.stringify(app.swagger(), null, 2)}\n`);
await app.close();
