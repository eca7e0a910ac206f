import type { FastifyInstance, FastifyRequest } from 'fastify';

// OpenTelemetry traces over OTLP, if the standard OTEL_* variables enable them: a span per request, as a child of the caller's span, and a span per statement. The
// SDK reads the variables itself and is loaded only if needed.

export async function startTracing() {
  // Signals that the server does not produce.
  process.env.OTEL_METRICS_EXPORTER ??= 'none';
  process.env.OTEL_LOGS_EXPORTER ??= 'none';
  process.env.OTEL_SERVICE_NAME ??= 'quoin';
  const { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = await import('@opentelemetry/api');
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({ instrumentations: [] });
  sdk.start();
  const tracer = trace.getTracer('quoin');
  const spans = new WeakMap<FastifyRequest, ReturnType<typeof tracer.startSpan>>();

  return {
    /** Creates a span for each request. Call it before adding other hooks. */
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

    /** Returns what links a job to the trace that enqueues it, if there is one. */
    context: (): object | undefined => {
      if (!trace.getActiveSpan()) return undefined;
      const carrier = {};
      propagation.inject(context.active(), carrier);
      return carrier;
    },

    /** Runs an attempt of jobs in a trace of its own, with links to the traces that enqueued them. */
    inTrace: <T>(name: string, carriers: readonly object[], run: () => Promise<T>): Promise<T> => {
      const links = carriers.flatMap((carrier) => {
        const linked = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, carrier));
        return linked ? [{ context: linked }] : [];
      });
      return tracer.startActiveSpan(name, { kind: SpanKind.CONSUMER, links, root: true }, async (span) => {
        try {
          return await run();
        } finally {
          span.end();
        }
      });
    },

    /** Runs a statement in a span, if a request is being traced. The text contains no values. */
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

    /** Sends the remaining spans. */
    stop: () => sdk.shutdown(),
  };
}

export type Tracing = Awaited<ReturnType<typeof startTracing>>;
