import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { deploy } from '../../../src/deploy/deploy.ts'
import { type DeployInputs, deployRequest } from '../../../src/deploy/deploy-request.ts'
import { digestOfInputs } from '../../../src/deploy/release.ts'
import { InputError } from '../../../src/process/errors.ts'
import { silentLogger } from '../../../src/process/log.ts'
import { testHost } from '../../support/test-host.ts'

const defaults = { createNamespace: true, prune: false, forceConflicts: false, dryRun: false, timeoutMs: 1_000 }
const host = testHost()
const workspace = path.join(host.paths.temp, 'workspace')

/** Writes files of the workspace by their path in it. */
function files(content: Record<string, string>): void {
  for (const [name, text] of Object.entries(content)) {
    mkdirSync(path.dirname(path.join(workspace, name)), { recursive: true })
    writeFileSync(path.join(workspace, name), text)
  }
}

const inside = (name: string): string => path.join(workspace, name)

/** The problems of a deployment that must not get as far as to ask for a program, an image or the cluster. */
async function problemsOf(inputs: Partial<DeployInputs>): Promise<string[]> {
  const never = (what: string) => (): never => {
    throw new Error(`asked for ${what}`)
  }
  const tools = {
    cluster: never('the cluster'),
    helm: never('helm'),
    kubectl: never('kubectl'),
    loadImages: never('images'),
    connect: never('a connection'),
  }
  const log = silentLogger
  const run = async (): Promise<unknown> =>
    deploy(host, deployRequest({ env: {}, log }, { ...defaults, root: workspace, ...inputs }), tools)
  const error = await run().then(
    () => expect.unreachable(),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof InputError)) throw error
  return error.problems.map(({ name, problem }) => `${name} ${problem}`)
}

describe('bad input', () => {
  it('of every kind is told at once, names too', async () => {
    const problems = await problemsOf({ namespace: 'UPPER', release: '--x', images: ['a b'], set: ['x'] })
    expect(problems).toEqual([
      'release is not a usable name',
      'namespace is not a usable name',
      'chart, kustomize, manifests are all missing',
      'set is only for a chart: a kustomization has overlays',
      'set is not a path of keys and a value',
      'images is not an image',
    ])
  })

  it('in and about a chart is told at once, before the cluster is looked for', async () => {
    files({ 'chart/values.yaml': '', 'list.yaml': '- 1\n' })
    const values = [inside('list.yaml'), inside('none.yaml'), '/etc/hostname']
    expect(await problemsOf({ chart: inside('chart'), values, images: ['nginx=shop:1'] })).toEqual([
      'chart is no chart',
      'images cannot be replaced in a chart, whose values say which images it runs',
      'values is not a mapping',
      expect.stringContaining('values cannot be read: ENOENT'),
      'values leads out of the workspace',
    ])
  })

  it('in manifests is told at once, before images are loaded', async () => {
    files({ 'k8s/a.yaml': 'kind: X\n', 'k8s/b.yaml': 'a: [\n' })
    const problems = await problemsOf({ manifests: [inside('k8s'), inside('none')], images: ['shop:1'] })
    expect(problems).toHaveLength(3)
    expect(problems[0]).toBe('manifests names no file')
    files({ 'good/a.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n' })
    expect(await problemsOf({ manifests: [inside('good')], images: ['nginx=shop:1'] })).toEqual([
      'images replaces an image that no object runs',
    ])
  })

  it('that is no kustomization asks for no kubectl', async () => {
    files({ 'empty/readme': '' })
    expect(await problemsOf({ kustomize: inside('empty') })).toEqual(['kustomize is no kustomization'])
  })
})

describe('bases of a kustomization', () => {
  it('may not lead out of the workspace or be fetched by a name that moves, at any depth', async () => {
    const commit = '0123456789abcdef0123456789abcdef01234567'
    files({
      'overlay/kustomization.yaml': `resources: [../base, /etc, web.yaml, none.yaml, "https://github.com/org/repo//k8s?ref=${commit}"]\n`,
      'overlay/web.yaml': '',
      'base/kustomization.yaml':
        'resources: [github.com/org/repo?ref=main, "https://example.com/app.yaml", "git@example.com:org/repo"]\ncomponents: [../overlay, ../linked-out]\n',
    })
    symlinkSync('/etc', inside('linked-out'))
    expect(await problemsOf({ kustomize: inside('overlay') })).toEqual([
      ...Array.from({ length: 3 }, () => 'kustomize is a remote base that is not pinned to a commit'),
      'kustomize leads out of the workspace',
      'kustomize leads out of the workspace',
    ])
  })
})

describe('links in a chart', () => {
  it('may not lead out of the workspace, to nowhere or in a circle', async () => {
    files({ 'linked/Chart.yaml': 'name: x\n', 'linked/templates/a.yaml': '' })
    symlinkSync('/etc/hostname', inside('linked/templates/host.yaml'))
    symlinkSync('/etc', inside('linked/files'))
    symlinkSync('nowhere', inside('linked/gone'))
    symlinkSync('..', inside('linked/templates/up'))
    expect((await problemsOf({ chart: inside('linked') })).sort()).toEqual([
      expect.stringContaining('chart cannot be read: ENOENT'),
      'chart is a link to a folder that it lies in',
      'chart leads out of the workspace',
      'chart leads out of the workspace',
    ])
  })

  it('count with what they lead to: another content is another release', async () => {
    files({ 'shared/common.yaml': 'a: 1\n', 'charts/Chart.yaml': 'name: x\n' })
    symlinkSync('../shared', inside('charts/templates'))
    const before = await digestOfInputs(inside('charts'), [])
    expect(await digestOfInputs(inside('charts'), [])).toBe(before)
    files({ 'shared/common.yaml': 'a: 2\n' })
    expect(await digestOfInputs(inside('charts'), [])).not.toBe(before)
  })
})
