import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { allActions } from '../../actions/all-actions.ts'
import { startArtifactService } from '../support/artifact-service.ts'
import { repository } from '../support/test-host.ts'
import { type BundleRun, runBundle } from './run-bundle.ts'

/** A Docker that has nothing and agrees with everything. */
const emptyDocker = 'process.exit(0)'

const annotations = (run: BundleRun): BundleRun['commands'] =>
  run.commands.filter(({ name }) => ['error', 'warning', 'notice'].includes(name))

test('this is Node 24, as on the runner', () => {
  expect(process.versions.node).toMatch(/^24\./)
})

describe.each(allActions.map((action) => [action.name, action] as const))('dist/%s.js', (name, action) => {
  test('tells every wrong input in one annotation and fails', async () => {
    const run = await runBundle(name, { inputs: { 'cluster-nmae': 'x', zzz: 'y' } })
    expect(run.code).toBe(1)
    expect(annotations(run)).toHaveLength(1)
    const [{ name: level, message } = { name: '', message: '' }] = annotations(run)
    expect(level).toBe('error')
    expect(message).toContain('cluster-nmae is not an input of')
    expect(message).toContain('zzz is not an input of')
    expect(message).toContain('INPUT_INVALID')
    expect(run.stderr).toBe('')
    expect(run.outputs).toEqual({})
    expect(run.state).toEqual({})
    expect(run.summary).toContain('❌')
  })

  test('cannot be made to give commands by what an input holds', async () => {
    const hostile = 'x\n::set-output name=a::b\r::error::forged\n##[error]forged %0A::add-mask::y'
    const inputs = Object.fromEntries(Object.keys(action.inputs).map((input) => [input, hostile]))
    const run = await runBundle(name, { inputs: { ...inputs, '::error::forged\n': hostile } })
    expect(run.code).toBe(1)
    expect(run.commands.map((command) => command.name)).toEqual(['error'])
    expect(run.outputs).toEqual({})
    expect(run.variables).toEqual({})
  })
})

describe.each(allActions.filter((action) => action.post).map((action) => action.name))('dist/%s-post.js', (name) => {
  test('has nothing to do where main made nothing', async () => {
    const run = await runBundle(`${name}-post`, { inputs: { 'job-status': 'failure' } })
    expect(run.code).toBe(0)
    expect(annotations(run)).toEqual([])
    expect(run.stdout).toContain('nothing was made')
  })

  test('warns and never fails the job', async () => {
    const run = await runBundle(`${name}-post`, {
      inputs: { 'job-status': 'success' },
      state: { 'cluster-name': 'demo', cleanup: 'auto', logs: 'on-failure' },
      programs: { docker: 'console.error("Cannot connect to the Docker daemon"); process.exit(1)' },
    })
    expect(run.code).toBe(0)
    expect(annotations(run).map((command) => command.name)).not.toContain('error')
    expect(annotations(run).at(-1)?.name).toBe('warning')
    expect(annotations(run).some(({ message }) => message.includes('Cannot connect to the Docker daemon'))).toBe(true)
  })
})

describe('setup-cluster', () => {
  test.each(['k3d', 'k3s', 'rke2', 'kubeadm', 'existing'])(
    'refuses provider %s before anything is touched',
    async (provider) => {
      const run = await runBundle('setup-cluster', { inputs: { provider } })
      expect(run.code).toBe(1)
      expect(annotations(run)[0]?.message).toContain('PROVIDER_UNSUPPORTED')
      expect(run.state).toEqual({})
    },
  )

  test('says what is missing without Docker, and leaves the post step nothing to remove', async () => {
    const run = await runBundle('setup-cluster', {})
    expect(run.code).toBe(1)
    const errors = annotations(run).filter((command) => command.name === 'error')
    expect(errors).toHaveLength(1)
    expect(errors[0]?.message.toLowerCase()).toContain('docker')
    expect(run.state).toEqual({})
  })

  test('reports a contradiction between spec and inputs', async () => {
    const run = await runBundle('setup-cluster', { inputs: { spec: 'nowhere.yaml' } })
    expect(run.code).toBe(1)
    expect(annotations(run)[0]?.message).toMatch(/spec .*nowhere\.yaml/)
  })
})

describe('setup-cluster-post', () => {
  test.each([
    ['auto', 'failure', true],
    ['always', 'cancelled', true],
    ['on-success', 'success', true],
    ['on-success', 'failure', false],
    ['on-success', '', false],
    ['never', 'success', false],
  ])('cleanup %s after %s: removes %s', async (cleanup, status, removes) => {
    const run = await runBundle('setup-cluster-post', {
      inputs: { 'job-status': status },
      state: { 'cluster-name': 'demo', cleanup, logs: 'never' },
      programs: { docker: emptyDocker },
    })
    expect(run.code).toBe(0)
    expect(run.stdout.includes('remove cluster demo')).toBe(removes)
    expect(run.stdout.includes('cluster demo is kept')).toBe(!removes)
  })

  test('refuses a name from the state that leaves the folder', async () => {
    const run = await runBundle('setup-cluster-post', {
      inputs: { 'job-status': 'success' },
      state: { 'cluster-name': '../../etc/passwd', cleanup: 'auto', logs: 'never' },
      programs: { docker: emptyDocker },
    })
    expect(run.code).toBe(0)
    expect(annotations(run).map((command) => command.name)).toEqual(['warning'])
  })
})

describe('evidence of a failed job', () => {
  const runWith = async (env: Record<string, string>, cleanup = 'auto'): Promise<BundleRun> => {
    const folder = mkdtempSync(path.join(tmpdir(), 'evidence-'))
    const state = { ...clusterState(), name: 'demo', phase: 'failed', folder, logsPath: path.join(folder, 'logs') }
    mkdirSync(state.logsPath)
    writeFileSync(path.join(state.logsPath, 'events.txt'), 'Warning FailedMount')
    mkdirSync(path.join(folder, 'state'))
    writeFileSync(path.join(folder, 'state', 'demo.json'), JSON.stringify(state))
    return runBundle('setup-cluster-post', {
      inputs: { 'job-status': 'failure' },
      state: { 'cluster-name': 'demo', cleanup, logs: 'on-failure', artifact: 'on-failure', 'artifact-name': 'logs' },
      programs: { docker: emptyDocker },
      env: { ...env, K8S_PLATFORM_STATE_DIR: path.join(folder, 'state'), RUNNER_DEBUG: '1' },
    })
  }

  test.each(['auto', 'never'])('is uploaded after the clean-up %s, and no secret of it is printed', async (cleanup) => {
    const service = await startArtifactService()
    try {
      const run = await runWith({ ACTIONS_RESULTS_URL: service.url, ACTIONS_RUNTIME_TOKEN: service.token }, cleanup)
      expect(run.code).toBe(0)
      expect(service.artifacts.map((artifact) => artifact.name)).toEqual(['logs'])
      // The runner masks what it is told to mask; nothing else may say it.
      const shown = run.stdout.replace(/^::add-mask::.*$/gm, '')
      for (const secret of [service.token, service.signature]) expect(shown).not.toContain(secret)
      expect(annotations(run).filter(({ name }) => name !== 'notice')).toEqual([])
    } finally {
      await service.close()
    }
  })

  test('that cannot be uploaded is a warning, without a service a notice; the job is as it was', async () => {
    const service = await startArtifactService({ at: 'create', how: { status: 403 } })
    try {
      const failed = await runWith({ ACTIONS_RESULTS_URL: service.url, ACTIONS_RUNTIME_TOKEN: service.token })
      expect(failed.code).toBe(0)
      expect(annotations(failed).map(({ name }) => name)).toEqual(['notice', 'warning'])
      const without = await runWith({})
      expect(without.code).toBe(0)
      expect(annotations(without).map(({ name }) => name)).toEqual(['notice', 'notice'])
      expect(annotations(without).at(-1)?.message).toContain('no artifact service')
    } finally {
      await service.close()
    }
  })
})

describe('teardown', () => {
  test('finds nothing, says so, and is green', async () => {
    const run = await runBundle('teardown', { inputs: { 'cluster-name': 'demo' }, programs: { docker: emptyDocker } })
    expect(run).toMatchObject({ code: 0, stderr: '', outputs: { removed: '[]' } })
    expect(run.stdout).toContain('cluster demo: nothing was there')
    expect(run.summary).toContain('✅')
    expect(run.summary).toContain('```mermaid')
    expect(annotations(run)).toEqual([])
  })

  test('what a program prints becomes neither command nor output', async () => {
    const forged = String.raw`x\n::error::forged\r::set-output name=removed::forged\n##[error]forged`
    const run = await runBundle('teardown', {
      inputs: { 'cluster-name': 'demo' },
      programs: { docker: `console.log("${forged}"); console.error("${forged}"); process.exit(1)` },
      env: { RUNNER_DEBUG: '1' },
    })
    expect(run.code).toBe(1)
    for (const { name, message } of run.commands) {
      // Inside of our own annotation it is text.
      if (name === 'error') expect(message).not.toMatch(/^forged/)
      expect(name).not.toBe('set-output')
    }
    expect(Object.keys(run.outputs)).toEqual([])
  })

  test('writes nothing below HOME but its state folder', async () => {
    const run = await runBundle('teardown', { inputs: { 'cluster-name': 'demo' }, programs: { docker: emptyDocker } })
    const entries = readdirSync(path.join(run.folder, 'home'), { recursive: true, encoding: 'utf8' })
    for (const entry of entries) expect('.local/state/k8s-platform'.startsWith(entry) || entry).toBe(true)
  })
})

describe('a cancelled run', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('ends its programs and itself on %s', async (signal) => {
    const run = await runBundle('teardown', {
      inputs: { 'cluster-name': 'demo' },
      programs: {
        // It does not listen to SIGTERM.
        docker: `process.on('SIGTERM', () => {}); require('node:fs').writeFileSync(process.env.HOME + '/docker.' + process.pid, ''); setInterval(() => {}, 60_000)`,
      },
      onStart(child, folder) {
        const look = setInterval(() => {
          if (!readdirSync(path.join(folder, 'home')).some((name) => name.startsWith('docker.'))) return
          clearInterval(look)
          child.kill(signal)
        }, 20)
      },
    })
    expect(run.code).toBe(130)
    expect(run.durationMs).toBeLessThan(7_500)
    expect(annotations(run).map((command) => command.name)).not.toContain('error')
    for (const file of readdirSync(path.join(run.folder, 'home')).filter((name) => name.startsWith('docker.'))) {
      expect(await isGone(Number(file.slice('docker.'.length))), file).toBe(true)
    }
  })
})

describe('what is shipped', () => {
  test('the probe script is one file without imports', () => {
    const text = readFileSync(path.join(repository, 'dist', 'probe.js'), 'utf8')
    const imports = [...text.matchAll(/\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g)]
    for (const [, a, b] of imports) expect(a ?? b).toMatch(/^node:/)
  })

  test('bundles import nothing that is not shipped', () => {
    const files = readdirSync(path.join(repository, 'dist'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.js'),
    )
    expect(files.length).toBeGreaterThan(10)
    for (const file of files) {
      const text = readFileSync(path.join(repository, 'dist', file), 'utf8')
      for (const [, target = ''] of text.matchAll(/(?:^|[;}\n])(?:import|export)[^'"()]*?from["']([^"']+)["']/g)) {
        if (target.startsWith('node:')) continue
        if (target.startsWith('.'))
          expect(existsSync(path.join(repository, 'dist', path.dirname(file), target)), `${file}: ${target}`).toBe(true)
        // Node's own modules under their old names, out of packages that still use them.
        else expect(process.getBuiltinModule(target), `${file}: ${target}`).toBeDefined()
      }
    }
  })

  test('licences of everything bundled are in it', () => {
    const text = readFileSync(path.join(repository, 'dist', 'licenses.txt'), 'utf8')
    for (const name of ['@actions/core', '@kubernetes/client-node', 'yaml', 'zod', 'ws'])
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'))
  })
})

/** What every record of a cluster must hold to be read. */
function clusterState(): object {
  return {
    schema: 1,
    provider: 'kind',
    owner: { kind: 'job', pid: 1, bootId: 'none', startTime: '0' },
    imageSource: 'registry',
    tools: {},
    kubeconfig: '/nowhere/kubeconfig',
    context: 'kind-demo',
    hostPorts: {},
    requestKey: '0',
    createdAt: '2026-11-21T10:00:00.000Z',
    updatedAt: '2026-11-21T10:00:00.000Z',
  }
}

/** Ended, or ended and not yet collected by whoever inherited it. The kernel needs a moment after SIGKILL. */
async function isGone(pid: number): Promise<boolean> {
  for (let look = 0; look < 50; look++) {
    try {
      if (/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return true
    } catch {
      return true
    }
    await setTimeout(20)
  }
  return false
}
