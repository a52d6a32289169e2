import { mkdir, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildImages } from '../../src/images/build-images.ts'
import { rootFolder } from '../../src/images/build-recipe.ts'
import { addToRoot } from '../../src/images/debian.ts'
import { builtImages } from '../support/built-images.ts'

/** What a run may spend to find that every image is there. */
const warmMs = 2_000

const built = await builtImages()
const { checked, docker, eventually, host, image, kubernetesVersion, recipes, start } = built

beforeAll(built.build)
afterAll(built.removeContainers)

it('finds in no time that everything is built', async () => {
  const started = performance.now()
  await buildImages(host, { kubernetesVersion })
  expect(performance.now() - started).toBeLessThan(warmMs)
})

describe.each(checked)('the contract of %s', (name) => {
  it('is what the image says', async () => {
    const { stdout } = await docker(['image', 'inspect', '--format', '{{json .Config}}', image(name).localTag])
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
      const result = await docker([...options, image(name).localTag, ...run.arguments], { allowFailure: true })
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
    const debian = image('debian')
    if (recipe === undefined) throw new Error('recipe redis is missing')
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
    const args = ['run', '--rm', '--interactive', '--network', 'none', image('golang').localTag]
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
