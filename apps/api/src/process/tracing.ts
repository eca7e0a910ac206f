import type { FastifyInstance, FastifyRequest } from 'fastify';

// OpenTelemetry traces over OTLP, where the standard OTEL_* variables ask for them. The SDK reads those itself, and is loaded only then:
// a span for each request, under the caller's if there is one, and one for each statement within it.

export async function startTracing() {
  // Signals that nobody here produces.
  process.env.OTEL_METRICS_EXPORTER ??= 'none';
  process.env.OTEL_LOGS_EXPORTER ??= 'none';
  process.env.OTEL_SERVICE_NAME ??= 'quoin';
  const { context, propagation, SpanKind, SpanStatusCode, trace } = await import('@opentelemetry/api');
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({ instrumentations: [] });
  sdk.start();
  const tracer = trace.getTracer('quoin');
  const spans = new WeakMap<FastifyRequest, ReturnType<typeof tracer.startSpan>>();

  return {
    /** The span of each request. Called before any other hook is added. */
    watch: (app: FastifyInstance): void => {
      app.addHook('onRequest', (request, _reply, done) => {
        const { method, routeOptions, headers, id } = request;
        const parent = propagation.extract(context.active(), headers);
        const attributes = {
          'http.request.method': method,
          ...(routeOptions.url && { 'http.route': routeOptions.url }),
          'quoin.request_id': id,
        };
        const span = tracer.startSpan(
          `${method} ${routeOptions.url ?? ''}`.trim(),
          { kind: SpanKind.SERVER, attributes },
          parent,
        );
        spans.set(request, span);
        context.with(trace.setSpan(parent, span), done);
      });
      // A body arrives in another asynchronous context.
      app.addHook('preValidation', (request, _reply, done) => {
        const span = spans.get(request);
        context.with(span ? trace.setSpan(context.active(), span) : context.active(), done);
      });
      app.addHook('onResponse', async (request, reply) => {
        const span = spans.get(request);
        span?.setAttribute('http.response.status_code', reply.statusCode);
        if (request.user) span?.setAttribute('user.id', request.user.id);
        if (reply.statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
        span?.end();
      });
    },

    traceId: (request: FastifyRequest): string | undefined => spans.get(request)?.spanContext().traceId,

    /** Runs a statement within a span, where something is being traced. Its text has no values in it. */
    observe: <T>(text: string, run: () => Promise<T>): Promise<T> => {
      if (!trace.getActiveSpan()) return run();
      const name = /^\s*(\w+)/.exec(text)?.[1] ?? 'statement';
      const attributes = { 'db.system.name': 'postgresql', 'db.query.text': text };
      return tracer.startActiveSpan(name, { kind: SpanKind.CLIENT, attributes }, async (span) => {
        try {
          return await run();
        } catch (error) {
          span.setStatus({ code: SpanStatusCode.ERROR, message: (error as { code?: string }).code ?? 'failed' });
          throw error;
        } finally {
          span.end();
        }
      });
    },

    /** Sends what has not been sent. */
    stop: () => sdk.shutdown(),
  };
}

export type Tracing = Awaited<ReturnType<typeof startTracing>>;
