import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KubeObject } from '../../src/kubernetes/objects.ts'
import { waitFor } from '../../src/process/wait.ts'
import { type CliRun, runCli } from '../support/cli.ts'
import { buildLoadable, removeLoaded } from '../support/loadable-images.ts'
import { drillCluster } from './cluster-fixture.ts'

/** `deploy` with the job's own image: loaded into every node, run in place of what the manifest names, and told apart from another content under the same tag. */
const namespace = 'kp-deploy-images'
const chartNamespace = 'kp-deploy-images-chart'
const image = 'kp-deploy-own:1'
/** Nobody serves it: a pod that were to run it would never start. */
const named = 'registry.invalid/shop/web'

const { host, kubernetes, kubeconfig } = await drillCluster()
const folder = path.join(host.paths.temp, 'own-image')
const chart = path.join(host.paths.temp, 'own-chart')
const inDocker = (...args: string[]) => host.exec.run('docker', args, { quiet: true })

beforeAll(() => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'web.yaml'), manifest(`${named}:of-the-registry`))
  mkdirSync(path.join(chart, 'templates'), { recursive: true })
  writeFileSync(path.join(chart, 'Chart.yaml'), '{apiVersion: v2, name: own, version: 0.0.1}')
  writeFileSync(path.join(chart, 'templates', 'web.yaml'), manifest('{{ .Values.image }}'))
})
afterAll(async () => {
  const names = [namespace, chartNamespace]
  for (const name of names) await kubernetes.delete({ apiVersion: 'v1', kind: 'Namespace', name })
  await kubernetes.until(
    'end of the namespaces',
    { apiVersion: 'v1', kind: 'Namespace' },
    {},
    {
      timeoutMs: 60_000,
      done: (seen) => !seen.some(({ metadata }) => names.includes(metadata.name)),
      explain: () => 'still ending',
    },
  )
  await removeLoaded(host, kubernetes, [image, `docker.io/library/${image}`])
})

describe('deploy with an image of the job', () => {
  let first: Shown

  it('runs it in place of what the manifest names, on nodes that could get it nowhere else', async () => {
    await buildLoadable(host, image, 'first content')
    const run = await deploy()
    expect(run.code, run.log).toBe(0)
    expect(run.stdout).toMatch(/revision 1: 2 created/)
    first = await shownBy(run, 'first content')
    expect(first).toEqual({
      image,
      content: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    })
  })

  it('finds nothing to do for the same content', async () => {
    const run = await deploy()
    expect(run.stdout, run.log).toMatch(/revision 1: nothing to do: 2 unchanged/)
  })

  it('rolls out another content under the same tag', async () => {
    await rebuild('second content')
    const run = await deploy()
    expect(run.code, run.log).toBe(0)
    expect(run.stdout).toMatch(/revision 2: 1 unchanged, 1 changed/)
    const second = await shownBy(run, 'second content')
    expect(second.image).toBe(image)
    expect(second.content).not.toBe(first.content)
  })
})

describe('deploy of a chart with an image of the job', () => {
  it('starts it once, finds nothing to do for the same content, and rolls out another under the same tag', async () => {
    await rebuild('third content')
    const made = await deployChart()
    expect(made.code, made.log).toBe(0)
    expect(made.stdout).toMatch(/revision 1: 2 created/)
    // The pods of something new have started with it; nothing has made them a second time.
    expect(await shownBy(made, 'third content', chartNamespace)).toEqual({ image, content: 'none' })
    expect(await replicaSets()).toHaveLength(1)

    const again = await deployChart()
    expect(again.stdout, again.log).toMatch(/revision 1: nothing to do: 2 unchanged/)

    await rebuild('fourth content')
    const other = await deployChart()
    expect(other.code, other.log).toBe(0)
    expect(other.stdout).toMatch(/revision 2: 1 unchanged, 1 changed/)
    const shown = await shownBy(other, 'fourth content', chartNamespace)
    expect(shown).toEqual({ image, content: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) })
    const third = await deployChart()
    expect(third.stdout, third.log).toMatch(/revision 2: nothing to do: 2 unchanged/)
    expect(await replicaSets()).toHaveLength(2)
  })
})

function deploy(): Promise<CliRun> {
  return deployInto(namespace, '--manifests', folder, '--images', `${named}=${image}`)
}

function deployChart(): Promise<CliRun> {
  return deployInto(chartNamespace, '--chart', chart, '--images', image, '--set', `image=${image}`)
}

function deployInto(place: string, ...source: string[]): Promise<CliRun> {
  return runCli(['deploy', '--kubeconfig', kubeconfig, ...source, '--namespace', place])
}

async function rebuild(mark: string): Promise<void> {
  await inDocker('rmi', image)
  await buildLoadable(host, image, mark)
}

function replicaSets(): Promise<KubeObject[]> {
  return kubernetes.list({ apiVersion: 'apps/v1', kind: 'ReplicaSet' }, { namespace: chartNamespace })
}

/** What the cluster runs. */
interface Shown {
  readonly image: string
  readonly content: string
}

/** Of the one pod that stays once the deployment is done, and it serves that content. */
async function shownBy(run: CliRun, content: string, place = namespace): Promise<Shown> {
  const scope = { namespace: place, labelSelector: 'app=own' }
  const all = await kubernetes.list({ apiVersion: 'v1', kind: 'Pod' }, scope)
  // A Deployment does not count pods that are on their way out.
  const pods = all.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
  expect(pods).toHaveLength(1)
  const [pod] = pods
  const url = `${/^(http:\/\/\S+) {2}Service \S+\/own http$/m.exec(run.stdout)?.[1]}/proof`
  // kube-proxy learns of a Service and of its pods a moment after they are accepted.
  await waitFor(host, url, async (signal) => (await fetch(url, { signal })).text(), {
    timeoutMs: 15_000,
    done: (text) => text === `loaded by the test: ${content}\n`,
    explain: (text) => text,
  })
  return {
    image: pod?.['spec'].containers[0].image,
    content: pod?.metadata.annotations?.['k8s-platform/image-content'] ?? 'none',
  }
}

function manifest(runs: string): string {
  const labels = { app: 'own' }
  const metadata = { name: 'own' }
  const container = {
    name: 'web',
    image: runs,
    command: ['busybox', 'httpd', '-f', '-p', '8080', '-h', '/'],
    readinessProbe: { httpGet: { path: '/proof', port: 8080 }, periodSeconds: 1 },
  }
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } }
  const objects = [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { selector: { matchLabels: labels }, template } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { type: 'NodePort', selector: labels, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
    },
  ]
  return objects.map((object) => JSON.stringify(object)).join('\n---\n')
}
