import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../../src/process/wait.ts'
import { type CliRun, runCli } from '../support/cli.ts'
import { buildLoadable, removeLoaded } from '../support/loadable-images.ts'
import { drillCluster } from './cluster-fixture.ts'

/** `deploy` with the job's own image: loaded into every node, run in place of what the manifest names, and told apart from another content under the same tag. */
const namespace = 'kp-deploy-images'
const image = 'kp-deploy-own:1'
/** Nobody serves it: a pod that were to run it would never start. */
const named = 'registry.invalid/shop/web'

const { host, kubernetes, kubeconfig } = await drillCluster()
const folder = path.join(host.paths.temp, 'own-image')
const inDocker = (...args: string[]) => host.exec.run('docker', args, { quiet: true })

beforeAll(() => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, 'web.yaml'), manifest())
})
afterAll(async () => {
  await kubernetes.delete({ apiVersion: 'v1', kind: 'Namespace', name: namespace })
  await kubernetes.until(
    'end of the namespace',
    { apiVersion: 'v1', kind: 'Namespace' },
    {},
    {
      timeoutMs: 60_000,
      done: (seen) => !seen.some(({ metadata }) => metadata.name === namespace),
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
    await inDocker('rmi', image)
    await buildLoadable(host, image, 'second content')
    const run = await deploy()
    expect(run.code, run.log).toBe(0)
    expect(run.stdout).toMatch(/revision 2: 1 unchanged, 1 changed/)
    const second = await shownBy(run, 'second content')
    expect(second.image).toBe(image)
    expect(second.content).not.toBe(first.content)
  })
})

function deploy(): Promise<CliRun> {
  const source = ['--manifests', folder, '--images', `${named}=${image}`]
  return runCli(['deploy', '--kubeconfig', kubeconfig, ...source, '--namespace', namespace])
}

/** What the cluster runs. */
interface Shown {
  readonly image: string
  readonly content: string
}

/** Of the one pod that stays once the deployment is done, and it serves that content. */
async function shownBy(run: CliRun, content: string): Promise<Shown> {
  const all = await kubernetes.list({ apiVersion: 'v1', kind: 'Pod' }, { namespace, labelSelector: 'app=own' })
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

function manifest(): string {
  const labels = { app: 'own' }
  const metadata = { name: 'own' }
  const container = {
    name: 'web',
    image: `${named}:of-the-registry`,
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
