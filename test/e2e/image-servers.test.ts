import { randomUUID } from 'node:crypto'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { publishImages } from '../../src/images/publish-images.ts'
import { waitFor } from '../../src/process/wait.ts'
import { builtImages, startMs } from '../support/built-images.ts'

const built = await builtImages()
const { docker, eventually, host, start } = built

beforeAll(built.build)
afterAll(built.removeContainers)

describe('redis', () => {
  it('gives up root and takes connections from others', async () => {
    const redis = await start('redis')
    expect(await eventually(redis, ['redis-cli', 'config', 'get', 'protected-mode'], /no/)).toContain('protected-mode')
    expect((await docker(['exec', redis, 'stat', '--format', '%u', '/proc/1'])).stdout.trim()).toBe('999')
  })

  it('takes bare flags for the server’s, and what the user says wins', async () => {
    const redis = await start('redis', [], ['--protected-mode', 'yes', '--appendonly', 'yes'])
    await eventually(redis, ['redis-cli', 'config', 'get', 'appendonly'], /yes/)
    await eventually(redis, ['redis-cli', 'config', 'get', 'protected-mode'], /yes/)
  })

  it('runs as a user other than root on a read-only root file system', async () => {
    const redis = await start(
      'redis',
      ['--read-only', '--user', '999:999', '--tmpfs', '/data:uid=999,gid=999'],
      ['redis-server', '--appendonly', 'yes'],
    )
    await eventually(redis, ['redis-cli', 'set', 'a', 'b'], /OK/)
    expect((await docker(['exec', redis, 'ls', '/data'])).stdout).toContain('appendonlydir')
  })
})

describe('postgres', () => {
  const query = (user: string, database: string, sql: string) => [
    'psql',
    '--username',
    user,
    '--dbname',
    database,
    '--host',
    '127.0.0.1',
    '-Atc',
    sql,
  ]

  it('makes user, database and password from the environment, and keeps them', async () => {
    const volume = `images-test-${randomUUID().slice(0, 8)}`
    const environment = [
      'POSTGRES_USER=votes',
      'POSTGRES_PASSWORD=s3cret pass',
      'POSTGRES_DB=tally',
      'POSTGRES_INITDB_ARGS=--data-checksums',
      'PGPASSWORD=s3cret pass',
    ]
    const options = [
      ...['--network', 'bridge'],
      ...environment.flatMap((entry) => ['--env', entry]),
      '--volume',
      `${volume}:/var/lib/postgresql/data`,
    ]
    try {
      const first = await start('postgres', options)
      await eventually(first, query('votes', 'tally', 'show data_checksums'), /^on$/m)
      await docker(['exec', first, ...query('votes', 'tally', 'create table t as select 7 as n')])
      expect((await docker(['exec', first, 'stat', '--format', '%u', '/proc/1'])).stdout.trim()).toBe('999')
      // Only loopback and the socket are trusted, as in the official image.
      const address = (await docker(['exec', first, 'hostname', '-i'])).stdout.trim()
      const remote = (password: string) =>
        docker(
          ['exec', '--env', `PGPASSWORD=${password}`, first, ...query('votes', 'tally', 'select 1').with(6, address)],
          { allowFailure: true },
        )
      expect((await remote('s3cret pass')).stdout.trim()).toBe('1')
      expect((await remote('wrong')).stderr).toContain('password authentication failed')
      await docker(['stop', '--time', '30', first])
      expect((await docker(['logs', first])).stderr).toContain('received fast shutdown request')
      const second = await start('postgres', options)
      await eventually(second, query('votes', 'tally', 'select n from t'), /^7$/m)
    } finally {
      await built.removeContainers()
      await docker(['volume', 'rm', volume])
    }
  })

  it('runs as a user other than root on a read-only root file system, with files for secrets and first steps', async () => {
    const folder = host.paths.temp
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'password'), 'from-a-file\n')
    await writeFile(join(folder, '10-table.sql'), 'create table made_by_sql (n int);\n')
    // Without the executable bit: sourced.
    await writeFile(join(folder, '20-row.sh'), 'run_sql --command "insert into made_by_sql values (42)"\n', {
      mode: 0o644,
    })
    await chmod(dirname(folder), 0o755)
    const scratch = ['/var/lib/postgresql/data', '/var/run/postgresql', '/tmp']
    const environment = [
      'PGDATA=/var/lib/postgresql/data/pgdata',
      'POSTGRES_PASSWORD_FILE=/docker-entrypoint-initdb.d/password',
      'PGPASSWORD=from-a-file',
    ]
    const postgres = await start('postgres', [
      ...['--read-only', '--user', '999:999', '--volume', `${folder}:/docker-entrypoint-initdb.d:ro`],
      ...environment.flatMap((entry) => ['--env', entry]),
      ...scratch.flatMap((path) => ['--tmpfs', `${path}:uid=999,gid=999,mode=0700`]),
    ])
    await eventually(postgres, query('postgres', 'postgres', 'select n from made_by_sql'), /^42$/m)
  })
})

describe('registry', () => {
  it('takes an image under an upstream name, once, and gives it back', async () => {
    const registry = await start('registry', ['--publish', '127.0.0.1::5000'])
    const address = (await docker(['port', registry, '5000/tcp'])).stdout.trim()
    await waitFor(host, 'the registry', () => fetch(`http://${address}/v2/`), {
      done: (response) => response.ok,
      explain: (response) => `status ${response.status}`,
      timeoutMs: startMs,
    })
    // A cache of its own: this registry is not the one that others publish to.
    const publisher = { ...host, paths: built.ownPaths }
    const { localTag, upstreamNames } = built.image('pause')
    const image = { localTag, upstreamName: upstreamNames[0] ?? '' }
    const first = await publishImages(publisher, { pushAddress: address }, [image])
    expect(first).toEqual({ pushed: [image.upstreamName], skipped: [] })
    expect(await publishImages(publisher, { pushAddress: address }, [image])).toEqual({
      pushed: [],
      skipped: [image.upstreamName],
    })
    const [repository, tag] = image.upstreamName.split(':')
    const manifest = await fetch(`http://${address}/v2/${repository}/manifests/${tag}`, {
      headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
    })
    expect(await manifest.json()).toMatchObject({ schemaVersion: 2, layers: [expect.any(Object)] })
  })
})
