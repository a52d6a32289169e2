import { execFile, type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import type { DatabaseSettings } from '../src/settings.ts'

/** A real Postgres in a folder of its own, whose data outlives `kill` and `start`. */
export interface PostgresServer {
  readonly settings: DatabaseSettings
  start(): Promise<void>
  /** Ends it as a crash would. */
  kill(): Promise<void>
  /** Stops it without closing its connections; `resume` continues it. */
  pause(): void
  resume(): void
  query(text: string, values?: unknown[]): Promise<pg.QueryResult>
  remove(): Promise<void>
}

const DEADLOCK = '40P01'
const MOST_ATTEMPTS = 5
const READY_WITHIN_MS = 20_000

/** Makes and starts a server. Rejects, naming the Debian package, where Postgres is not installed. */
export async function startPostgres(): Promise<PostgresServer> {
  const bin = ['/usr/lib/postgresql/15/bin', '/usr/lib/postgresql/16/bin', '/usr/lib/postgresql/17/bin'].find(existsSync)
  if (!bin) throw new Error('Postgres is not installed; install it: apt-get install postgresql-15')
  const folder = mkdtempSync(join(tmpdir(), 'result-test-'))
  const data = join(folder, 'data')
  const account = unprivileged()
  if (account.uid !== undefined) {
    chmodSync(folder, 0o755)
    chownSync(folder, account.uid, account.gid)
  }
  await promisify(execFile)(join(bin, 'initdb'), ['--pgdata', data, '--auth', 'trust', '--username', 'postgres', '--no-sync'], {
    ...account,
    cwd: folder,
  })
  const port = await freePort()
  const settings: DatabaseSettings = {
    host: '127.0.0.1',
    port,
    user: 'postgres',
    database: 'postgres',
    sslMode: 'disable',
    password: 'unused',
    passwordFile: undefined,
  }
  let child: ChildProcess | undefined
  const queryOnce = async (text: string, values: unknown[]) => {
    const client = new pg.Client({ host: settings.host, port, user: 'postgres', database: 'postgres', connectionTimeoutMillis: 2000 })
    client.on('error', () => {})
    await client.connect()
    try {
      return await client.query(text, values)
    } finally {
      await client.end().catch(() => {})
    }
  }
  // Dropping tables that the service is reading may meet it half way: Postgres then gives up one of the two, and whoever it was tries again.
  const query = async (text: string, values: unknown[] = []) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await queryOnce(text, values)
      } catch (error) {
        if ((error as { code?: string }).code !== DEADLOCK || attempt === MOST_ATTEMPTS) throw error
      }
    }
  }
  // Each backend is a session of its own, so a signal to the group would miss them.
  const signalAll = (signal: NodeJS.Signals) => {
    const pid = child?.pid
    if (!pid) return
    const backends = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
    for (const each of [pid, ...backends]) process.kill(each, signal)
  }
  const server: PostgresServer = {
    settings,
    query,
    async start() {
      const options = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-c', 'fsync=off']
      child = spawn(join(bin, 'postgres'), options, { ...account, cwd: folder, stdio: 'ignore' })
      await eventually('Postgres answers', () => query('SELECT 1'), READY_WITHIN_MS)
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const ended = new Promise((resolve) => child?.once('exit', resolve))
      signalAll('SIGKILL')
      await ended
    },
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    async remove() {
      await server.kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  await server.start()
  return server
}

/** Repeats `probe` until it returns; rejects with its last error after `withinMs`. */
export async function eventually<T>(what: string, probe: () => Promise<T> | T, withinMs = 10_000): Promise<T> {
  const deadline = Date.now() + withinMs
  for (;;) {
    try {
      return await probe()
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  }
}

// Postgres refuses to run as root.
function unprivileged(): { uid: number; gid: number } | { uid?: undefined; gid?: undefined } {
  if (process.getuid?.() !== 0) return {}
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('postgres:'))
  if (!line) throw new Error('Postgres does not run as root and there is no user postgres: apt-get install postgresql-15')
  const [, , uid, gid] = line.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
