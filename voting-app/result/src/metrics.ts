import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What Prometheus sees of the service; one registry per instance, so that tests do not share counters. */
export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics() {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  return {
    registry,
    requests: new Counter({
      name: 'result_http_requests_total',
      help: 'Requests answered.',
      labelNames: ['method', 'route', 'code'] as const,
      registers,
    }),
    duration: new Histogram({
      name: 'result_http_request_duration_seconds',
      help: 'Seconds to answer a request.',
      labelNames: ['route'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
      registers,
    }),
    clients: new Gauge({ name: 'result_clients', help: 'Pages connected for live results.', registers }),
    frames: new Counter({ name: 'result_frames_total', help: 'Score frames sent to pages.', registers }),
    reconnects: new Counter({
      name: 'result_db_reconnects_total',
      help: 'Times the listening connection to Postgres was made anew.',
      registers,
    }),
    databaseErrors: new Counter({ name: 'result_db_errors_total', help: 'Queries that failed.', registers }),
  }
}
