import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ChangeListener } from './change-listener.ts'
import { connectionOptions, openDatabase } from './database.ts'
import type { Log } from './log.ts'
import { createMetrics } from './metrics.ts'
import { loadPage } from './page.ts'
import { createRoutes } from './routes.ts'
import { ScoreFeed } from './score-feed.ts'
import type { Settings } from './settings.ts'

/** A running service. */
export interface Service {
  /** The port it listens on; differs from the setting when that is 0. */
  readonly port: number
  /** Reports unready, serves for the drain time, sends the pages away and ends. Calling again changes nothing. */
  stop(): Promise<void>
}

const FAREWELL_MS = 2000

/** Starts the service. Rejects when the port cannot be had; an absent Postgres is waited for. */
export async function startService(settings: Settings, log: Log): Promise<Service> {
  let stopping: Promise<void> | undefined
  const metrics = createMetrics()
  const database = openDatabase(settings.database)
  const page = loadPage(settings)
  const { pod } = settings
  const server = createServer(createRoutes({ database, metrics, log, pod, page, draining: () => stopping !== undefined }))
  // Longer than the idle time of common proxies, so that they close first; see https://nodejs.org/api/http.html.
  server.keepAliveTimeout = 75_000
  server.requestTimeout = 10_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(settings.port, resolve)
  })
  const feed = new ScoreFeed({ server, database, metrics, log, pod })
  const events = { changed: () => feed.refresh(), reconnected: () => metrics.reconnects.inc() }
  const listener = new ChangeListener(connectionOptions(settings.database), events, log)
  listener.start()
  const { port } = server.address() as AddressInfo
  log.info('started', { port, postgres: settings.database.host })

  const stop = async () => {
    log.info('draining', { drainMs: settings.drainMs })
    await new Promise((resolve) => setTimeout(resolve, settings.drainMs))
    feed.close()
    const closed = new Promise((resolve) => server.close(resolve))
    const farewell = setTimeout(() => {
      feed.terminate()
      server.closeAllConnections()
    }, FAREWELL_MS)
    await closed
    clearTimeout(farewell)
    await listener.close()
    await database.close()
    log.info('stopped')
  }
  return {
    port,
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}
