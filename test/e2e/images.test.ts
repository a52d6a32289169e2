import { randomUUID } from 'node:crypto'
import { chmod, mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BuiltImage, buildImages } from '../../src/images/build-images.ts'
import { rootFolder } from '../../src/images/build-recipe.ts'
import { addToRoot } from '../../src/images/debian.ts'
import { supportedKubernetesVersions } from '../../src/images/kubernetes-versions.ts'
import { loadRecipes, type Recipes } from '../../src/images/load-recipes.ts'
import { publishImages } from '../../src/images/publish-images.ts'
import { cacheFolder } from '../../src/process/environment.ts'
import { waitFor } from '../../src/process/wait.ts'
import { testHost } from '../support/test-host.ts'

/** Starts of servers in containers, on a machine that may be busy. */
const startMs = 60_000
/** What a run may spend to find that every image is there. */
const warmMs = 2_000

const base = testHost()
// The images themselves are those of every other run on this machine: building them again takes a quarter of an hour.
const host = {
  ...base,
  env: { ...base.env, HOME: process.env['HOME'] ?? '/root' },
  paths: { ...base.paths, cache: cacheFolder(process.env) },
}

const [kubernetesVersion = ''] = await supportedKubernetesVersions(host)
const recipes: Recipes = await loadRecipes(host, kubernetesVersion)
/** What no cluster needs is built by the nightly run only. */
const nightly = (process.env['K8S_PLATFORM_NIGHTLY'] ?? '') !== ''
const checked = [...recipes.values()].filter((recipe) => nightly || !recipe.optional).map((recipe) => recipe.name)
let images: ReadonlyMap<string, BuiltImage>
const containers: string[] = []

beforeAll(async () => {
  const built = await buildImages(host, { kubernetesVersion, recipes: checked })
  images = new Map(built.map((image) => [image.recipe, image]))
})

afterAll(async () => {
  if (containers.length > 0) await docker(['rm', '--force', '--volumes', ...containers])
})

const docker = (args: readonly string[], options: { allowFailure?: boolean; input?: string } = {}) =>
  host.exec.run('docker', args, { quiet: true, ...options })

function tagOf(recipe: string): string {
  return images.get(recipe)?.localTag ?? `recipe ${recipe} is not built`
}

/** Starts a container without a network and resolves with its name. */
async function start(
  recipe: string,
  options: readonly string[] = [],
  command: readonly string[] = [],
): Promise<string> {
  const name = `images-test-${recipe}-${randomUUID().slice(0, 8)}`
  containers.push(name)
  const network = options.some((option) => /^--(publish|network)$/.test(option)) ? [] : ['--network', 'none']
  await docker(['run', '--detach', '--name', name, ...network, ...options, tagOf(recipe), ...command])
  return name
}

/** Output of a program in a container, as soon as it succeeds with output that fits. */
async function eventually(container: string, command: readonly string[], fits: RegExp): Promise<string> {
  const logs = async () => (await docker(['logs', '--tail', '5', container])).stdout
  return waitFor(
    host,
    `${command.join(' ')} in ${container}`,
    async () => (await docker(['exec', container, ...command])).stdout,
    {
      done: (output) => fits.test(output),
      explain: (output) => output,
      timeoutMs: startMs,
      intervalMs: 200,
    },
  ).catch(async (error: Error) => {
    throw new Error(`${error.message}\n${await logs()}`, { cause: error })
  })
}

it('finds in no time that everything is built', async () => {
  const started = performance.now()
  await buildImages(host, { kubernetesVersion })
  expect(performance.now() - started).toBeLessThan(warmMs)
})

describe.each(checked)('the contract of %s', (name) => {
  it('is what the image says', async () => {
    const { stdout } = await docker(['image', 'inspect', '--format', '{{json .Config}}', tagOf(name)])
    const config = JSON.parse(stdout) as {
      Entrypoint: string[] | null
      Cmd: string[] | null
      User: string
      WorkingDir: string
      Env: string[]
      ExposedPorts?: Record<string, unknown>
      Volumes?: Record<string, unknown>
      StopSignal?: string
      Labels: Record<string, string>
    }
    const contract = recipes.get(name)?.contract
    const said = {
      entrypoint: config.Entrypoint ?? undefined,
      command: config.Cmd ?? undefined,
      user: config.User,
      workdir: config.WorkingDir,
      environment: Object.fromEntries(
        config.Env.map((entry) => [entry.split('=')[0], entry.slice(entry.indexOf('=') + 1)]),
      ),
      ports: Object.keys(config.ExposedPorts ?? {}).map(Number.parseFloat),
      volumes: Object.keys(config.Volumes ?? {}),
      stopSignal: config.StopSignal,
    }
    const { runs: _runs, ...promised } = contract ?? { runs: [] }
    expect(said).toMatchObject(promised)
    expect(config.Labels['k8s-platform.recipe']).toBe(name)
  })

  it('is what its programs do', async () => {
    for (const run of recipes.get(name)?.contract.runs ?? []) {
      const options = [
        ...['run', '--rm', '--network', 'none'],
        ...(run.entrypoint === undefined ? [] : ['--entrypoint', run.entrypoint]),
        ...(run.user === undefined ? [] : ['--user', run.user]),
        ...(run.readOnly ? ['--read-only'] : []),
      ]
      const result = await docker([...options, tagOf(name), ...run.arguments], { allowFailure: true })
      const output = `${result.stdout}${result.stderr}`
      expect({ run: run.arguments, exitCode: result.exitCode, output }).toEqual({
        run: run.arguments,
        exitCode: run.exitCode,
        output: expect.stringMatching(new RegExp(run.prints, 'm')),
      })
    }
  })
})

describe('a build that is cancelled', () => {
  it('leaves no mount and no process behind', async () => {
    const recipe = recipes.get('redis')
    const debian = images.get('debian')
    if (recipe === undefined || debian === undefined) throw new Error('recipe redis or debian is missing')
    const work = join(host.paths.temp, 'cancelled')
    const layout = { upper: join(work, 'upper'), scratch: join(work, 'scratch'), files: join(work, 'files') }
    await mkdir(layout.files, { recursive: true })
    const cancel = new AbortController()
    const lines: string[] = []
    const build = addToRoot(
      { ...host, signal: cancel.signal },
      recipe,
      { ...layout, lowers: [rootFolder(host, 'debian', debian.key)] },
      {
        onLine: (line) => {
          lines.push(line)
          // By now the root is mounted, with /proc in it, and apt runs inside.
          if (line.includes('Reading package lists')) cancel.abort(new Error('cancelled by the test'))
        },
      },
    )
    await expect(build).rejects.toThrow(/add-packages\.sh/)
    expect(lines.join('\n')).toContain('Reading package lists')
    const left: string[] = []
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8').catch(() => '')
      const root = await readlink(`/proc/${pid}/root`).catch(() => '')
      if (mounts.includes(work) || root.startsWith(work)) left.push(pid)
    }
    expect(left).toEqual([])
    // Were /proc still mounted, this would fail.
    await rm(work, { recursive: true })
  })
})

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
      await docker(['rm', '--force', '--volumes', ...containers.splice(0)])
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
    const publisher = { ...host, paths: base.paths }
    const image = { localTag: tagOf('pause'), upstreamName: images.get('pause')?.upstreamNames[0] ?? '' }
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

describe('pause', () => {
  it('ends when it is told to', async () => {
    const pause = await start('pause', ['--read-only'])
    await docker(['stop', '--time', '20', pause])
    // 137 would mean that it had to be killed.
    expect((await docker(['inspect', '--format', '{{.State.ExitCode}}', pause])).stdout.trim()).toBe('0')
  })
})

describe('golang', () => {
  it('compiles without a network', async () => {
    const program = 'package main\n\nfunc main() { println(418) }\n'
    const args = ['run', '--rm', '--interactive', '--network', 'none', tagOf('golang')]
    const script = 'mkdir /hello && cd /hello && cat > main.go && go mod init example.com/hello 2>/dev/null && go run .'
    const result = await docker([...args, 'sh', '-ec', script], { input: program })
    expect(result.stderr.trim()).toBe('418')
  })
})

describe('the node image', () => {
  it('carries every image the control plane needs, under the names kubeadm asks for', async () => {
    const node = await start('kind-node', ['--entrypoint', '/usr/bin/containerd'])
    const listed = await eventually(node, ['ctr', '--namespace', 'k8s.io', 'images', 'ls', '--quiet'], /kube-apiserver/)
    const asked = await docker([
      'exec',
      node,
      'kubeadm',
      'config',
      'images',
      'list',
      `--kubernetes-version=v${kubernetesVersion}`,
    ])
    for (const name of asked.stdout.trim().split('\n')) expect(listed.split('\n')).toContain(name)
  })
})
