import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ClusterState } from '../../src/cluster/state.ts'
import { reportFiles } from '../../src/report/write.ts'
import { startArtifactService } from '../support/artifact-service.ts'
import { FakeApiServer } from '../support/fake-api-server.ts'
import { recordFault } from '../support/fault-results.ts'
import { stateOf } from '../unit/cluster/states.ts'
import { runBundle } from './run-bundle.ts'
import { mark, placesOf, shows, watchPrograms } from './secret-places.ts'

/** Of several lines, with what JSON, a URL and a shell write in another way. */
const secret = `${mark}-1\n"ü" & ${mark}-2 $\n`
const digest = createHash('sha256').update(secret).digest('hex')
const nowhere = 'in no log, output, state, summary, report, artifact, file or program'

let server: FakeApiServer
let kubeconfig: string

beforeEach(async () => {
  server = new FakeApiServer()
  await server.start()
  kubeconfig = path.join(mkdtempSync(path.join(tmpdir(), 'k8s-platform-secrets-')), 'kubeconfig')
  writeFileSync(kubeconfig, server.kubeconfig(`${mark}-token`))
})
afterEach(() => server.stop())

/** Records what was found, and holds it to be nothing. */
function expectNowhere(what: string, found: readonly string[]): void {
  const seen = found.length === 0 ? nowhere : `in ${found.join(', ')}`
  recordFault({ section: 'input', fault: `secret: ${what}`, expected: nowhere, seen, held: found.length === 0 })
  expect(found).toEqual([])
}

/**
 * A helm that stays long enough to be seen, wants the secret on stdin, and repeats it as a chart's notes or a debug log would.
 * @param end What it does then.
 */
const helm = (end: string): string => `
const { createHash } = require('node:crypto')
let text = ''
process.stdin.on('data', (part) => (text += part)).on('end', () => setTimeout(() => {
  const { password } = JSON.parse(text).db
  if (createHash('sha256').update(password).digest('hex') !== '${digest}') process.exit(3)
  console.error('warning: values hold ' + password + ' ' + JSON.stringify(password) + ' ' + Buffer.from(password).toString('base64'))
  ${end}
}, 300))`
const installs = `console.log(JSON.stringify({ name: 'shop', version: 1, info: { status: 'deployed', notes: password }, manifest: JSON.stringify({
    apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, data: { password: Buffer.from(password).toString('base64') } }) }))`
const refuses = `console.error('Error: db.password: ' + password + ' (' + encodeURIComponent(password) + ') is too odd'); process.exit(1)`

test.each([
  ['that succeeds', installs, 0],
  ['that Helm refuses, quoting it', refuses, 1],
] as const)('a secret of `set … fromEnv` is nowhere after a deployment %s', async (what, end, code) => {
  server.objects.set('/api/v1/namespaces/shop/secrets/db', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'db', namespace: 'shop' },
    data: { password: Buffer.from(secret).toString('base64') },
  })
  const programs = new Set<string>()
  const run = await runBundle('deploy', {
    inputs: {
      kubeconfig,
      chart: 'shop',
      namespace: 'shop',
      'helm-version': 'preinstalled',
      set: 'db.password=fromEnv:DB_PASSWORD',
    },
    env: { DB_PASSWORD: secret, RUNNER_DEBUG: '1' },
    workspace: { 'shop/Chart.yaml': 'apiVersion: v2\nname: shop\nversion: 1.0.0\n' },
    programs: { helm: helm(end) },
    onStart: watchPrograms(programs),
  })
  expect(run.code, run.stdout).toBe(code)
  expect([...programs].some((text) => text.includes('--values=-'))).toBe(true)
  expect([...programs].some((text) => text.startsWith('environ'))).toBe(true)
  // The runner is told, line by line.
  expect(
    run.stdout.split('\n').filter((line) => line.startsWith('::add-mask::') && shows(line)).length,
  ).toBeGreaterThan(1)
  expectNowhere(`of \`set … fromEnv\`, a deployment ${what}`, placesOf(run, [...programs]))
})

test('a Secret among manifests, and the token of the kubeconfig, are nowhere after a deployment that succeeds', async () => {
  const programs = new Set<string>()
  const manifest = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: { password: secret } }
  const run = await runBundle('deploy', {
    inputs: { kubeconfig, manifests: 'app.yaml', namespace: 'shop' },
    env: { RUNNER_DEBUG: '1' },
    workspace: { 'app.yaml': JSON.stringify(manifest) },
    onStart: watchPrograms(programs),
  })
  expect(run.code, run.stdout).toBe(0)
  expect(server.objects.has('/api/v1/namespaces/shop/secrets/db')).toBe(true)
  const inventory = [...server.objects].filter(([name]) => name.includes('/configmaps/'))
  expect(inventory).toHaveLength(1)
  const found = placesOf(run, [...programs]).filter((place) => place !== 'workspace/app.yaml')
  expectNowhere('in a manifest, and the token of a kubeconfig, a deployment that succeeds', [
    ...found,
    ...inventory.filter(([, object]) => shows(JSON.stringify(object))).map(([name]) => name),
  ])
})

test('the token of a kubeconfig is in no report of an assertion', async () => {
  const run = await runBundle('assert', {
    inputs: {
      kubeconfig,
      target: 'generic',
      namespace: 'shop',
      suites: 'readiness',
      timeout: '3s',
      'report-dir': 'out',
    },
    env: { RUNNER_DEBUG: '1' },
  })
  const reports = Object.values(reportFiles(path.join(run.folder, 'workspace', 'out')))
  expect(
    reports.map((file) => existsSync(file)),
    run.stdout,
  ).toEqual([true, true, true, true])
  expectNowhere('the token of a kubeconfig, an assertion with its reports', placesOf(run, []))
})

test('what an artifact holds is no secret of the cluster or of the kubeconfig', async () => {
  const service = await startArtifactService()
  const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-secrets-'))
  try {
    const container = {
      name: 'web',
      image: 'web',
      env: [
        { name: 'PASSWORD', value: secret },
        { name: 'OPEN', value: 'x' },
      ],
    }
    const applied = { 'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify(container) }
    server.objects.set('/api/v1/namespaces/shop/pods/web', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: 'shop', annotations: applied },
      spec: { containers: [container] },
    })
    const logsPath = path.join(folder, 'logs')
    const state: ClusterState = stateOf({ name: 'demo', folder, logsPath, kubeconfig, context: 'test' })
    const stateFolder = path.join(folder, 'state')
    mkdirSync(stateFolder)
    writeFileSync(path.join(stateFolder, 'demo.json'), JSON.stringify(state))
    const run = await runBundle('setup-cluster-post', {
      state: {
        'cluster-name': 'demo',
        cleanup: 'always',
        logs: 'always',
        artifact: 'always',
        'artifact-name': 'evidence',
      },
      inputs: { 'job-status': 'failure' },
      env: {
        RUNNER_DEBUG: '1',
        K8S_PLATFORM_STATE_DIR: stateFolder,
        ACTIONS_RESULTS_URL: service.url,
        ACTIONS_RUNTIME_TOKEN: service.token,
      },
      programs: { docker: '' },
    })
    const [artifact] = service.artifacts
    expect(artifact?.name, run.stdout).toBe('evidence')
    writeFileSync(path.join(folder, 'evidence.zip'), artifact?.archive ?? '')
    const unpack =
      'import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); [print(n, z.read(n).decode()) for n in z.namelist()]'
    const held = execFileSync('python3', ['-c', unpack, path.join(folder, 'evidence.zip')], { encoding: 'utf8' })
    // It is the evidence: the pod is there, by name.
    expect(held).toContain('objects/pods.json')
    expect(held).toContain('"name": "PASSWORD"')
    const tokens = [service.token, service.signature].filter((token) =>
      [run.summary, JSON.stringify(run.outputs), held, ...unmasked(run.stdout)].some((text) => text.includes(token)),
    )
    expectNowhere('in a pod’s environment, and the tokens of the artifact service, an artifact', [
      ...placesOf(run, []),
      ...(shows(held) ? ['the artifact'] : []),
      ...tokens.map(() => 'a token of the artifact service'),
    ])
  } finally {
    await service.close()
  }
})

function unmasked(stdout: string): string[] {
  return stdout.split('\n').filter((line) => !line.startsWith('::add-mask::'))
}
