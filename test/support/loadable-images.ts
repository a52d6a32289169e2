import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { clusterLabel, listContainers, removeContainers } from '../../src/cluster/docker.ts'
import { loadTarget } from '../../src/cluster/load-target.ts'
import { loadedRegistryContainer } from '../../src/cluster/loaded-registry.ts'
import { hostsFiles } from '../../src/cluster/mirrors.ts'
import { writeMirrors } from '../../src/cluster/node-mirrors.ts'
import { registryInNetwork } from '../../src/cluster/registry.ts'
import { dockerBuild, localImages } from '../../src/images/docker-image.ts'
import type { Kubernetes } from '../../src/kubernetes/client.ts'
import type { KubeObject } from '../../src/kubernetes/objects.ts'
import { restrictedContainer, restrictedPod } from '../../src/kubernetes/restricted-pod.ts'
import type { Host } from '../../src/process/host.ts'

/** What the images of these tests hold, to tell them from any other. */
const proof = 'loaded by the test'

/** Builds a small image that nothing but loading can bring to a node; its `/proof` ends with `mark`. */
export async function buildLoadable(host: Host, name: string, mark = name): Promise<void> {
  const busybox = (await localImages(host)).find(({ recipe }) => recipe === 'busybox')
  const folder = path.join(host.paths.temp, 'loadable')
  await mkdir(folder, { recursive: true })
  await writeFile(path.join(folder, 'proof'), `${proof}: ${mark}\n`)
  await writeFile(path.join(folder, 'Dockerfile'), `FROM ${busybox?.tag}\nCOPY proof /proof\n`)
  await dockerBuild(host, ['--tag', name, folder])
}

/**
 * An image as an archive of Docker 29, whose containerd store saves an index that lists platforms it has no content of. Resolves with the path of a gzip'ed tar.
 */
export async function saveLikeDocker29(host: Host, image: string, name: string): Promise<string> {
  const folder = path.join(host.paths.temp, 'archive')
  await rm(folder, { recursive: true, force: true })
  await mkdir(path.join(folder, 'blobs', 'sha256'), { recursive: true })
  const run = (command: string, args: string[]) => host.exec.run(command, args, { quiet: true })
  await run('docker', ['save', '--output', path.join(folder, 'saved.tar'), image])
  await mkdir(path.join(folder, 'saved'))
  await run('tar', ['--extract', '--file', path.join(folder, 'saved.tar'), '--directory', path.join(folder, 'saved')])
  const read = (file: string): Promise<Buffer> => readFile(path.join(folder, 'saved', file))
  const add = async (
    mediaType: string,
    bytes: Buffer,
  ): Promise<{ mediaType: string; digest: string; size: number }> => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    await writeFile(path.join(folder, 'blobs', 'sha256', hex), bytes)
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
  }
  const [saved] = JSON.parse(String(await read('manifest.json'))) as { Config: string; Layers: string[] }[]
  const type = 'application/vnd.oci.image'
  const layers = (saved?.Layers ?? []).map(async (layer) => add(`${type}.layer.v1.tar`, await read(layer)))
  const manifest = await add(
    `${type}.manifest.v1+json`,
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: `${type}.manifest.v1+json`,
        config: await add(`${type}.config.v1+json`, await read(saved?.Config ?? '')),
        layers: await Promise.all(layers),
      }),
    ),
  )
  const platform = (architecture: string): object => ({ platform: { os: 'linux', architecture } })
  const absent = { mediaType: manifest.mediaType, digest: `sha256:${'0'.repeat(64)}`, size: 400 }
  const manifests = [
    { ...manifest, ...platform('amd64') },
    { ...absent, ...platform('s390x') },
  ]
  const index = await add(
    `${type}.index.v1+json`,
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: `${type}.index.v1+json`, manifests })),
  )
  const annotations = { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.split(':').at(-1) }
  await writeFile(path.join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const top = { schemaVersion: 2, manifests: [{ ...index, annotations }] }
  await writeFile(path.join(folder, 'index.json'), JSON.stringify(top))
  const tar = path.join(folder, 'image.tar')
  await run('tar', ['--create', '--file', tar, '--directory', folder, 'oci-layout', 'index.json', 'blobs'])
  await writeFile(`${tar}.gz`, gzipSync(await readFile(tar), { level: 1 }))
  return `${tar}.gz`
}

export const loadNamespace = 'kp-load-test'

/** A pod of the image on every node, control planes too; resolves when each has found in it what the test put there. */
export async function runOnEveryNode(
  kubernetes: Kubernetes,
  daemon: { readonly name: string; readonly image: string; readonly policy: 'Never' | 'IfNotPresent' | 'Always' },
): Promise<number> {
  const { name, image, policy } = daemon
  const labels = { app: name }
  await kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: loadNamespace } })
  await kubernetes.apply({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: loadNamespace },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          securityContext: restrictedPod,
          terminationGracePeriodSeconds: 0,
          tolerations: [{ operator: 'Exists' }],
          containers: [
            {
              name: 'proof',
              image,
              imagePullPolicy: policy,
              command: ['sleep', '3600'],
              readinessProbe: { exec: { command: ['grep', '-q', proof, '/proof'] }, periodSeconds: 1 },
              securityContext: restrictedContainer,
            },
          ],
        },
      },
    },
  })
  const nodes = await kubernetes.list({ apiVersion: 'v1', kind: 'Node' })
  const ready = (objects: readonly KubeObject[]): number =>
    Number(objects.find((object) => object.metadata.name === name)?.['status']?.numberReady ?? 0)
  const sets = await kubernetes.until(
    `${image} on every node`,
    { apiVersion: 'apps/v1', kind: 'DaemonSet' },
    { namespace: loadNamespace },
    {
      timeoutMs: 60_000,
      done: (objects) => ready(objects) === nodes.length,
      explain: (objects) => `${ready(objects)} of ${nodes.length} pods are ready`,
    },
  )
  return ready(sets)
}

/** Takes away what the tests made: the namespace and its pods, the images on the nodes and in Docker, and the registry they were loaded into. */
export async function removeLoaded(host: Host, kubernetes: Kubernetes, images: readonly string[]): Promise<void> {
  await kubernetes.delete({ apiVersion: 'v1', kind: 'Namespace', name: loadNamespace })
  await kubernetes.until(
    'the namespace to be gone',
    { apiVersion: 'v1', kind: 'Namespace' },
    {},
    {
      timeoutMs: 60_000,
      done: (objects) => !objects.some((object) => object.metadata.name === loadNamespace),
      explain: () => 'it is still there',
    },
  )
  const options = { quiet: true, allowFailure: true } as const
  for (const node of await kubernetes.list({ apiVersion: 'v1', kind: 'Node' })) {
    const ctr = ['exec', node.metadata.name, 'ctr', '--namespace', 'k8s.io', 'images', 'remove']
    await host.exec.run('docker', [...ctr, ...images], options)
  }
  await host.exec.run('docker', ['rmi', ...images], options)
  const { cluster, nodes } = await loadTarget(host, kubernetes)
  const ours = await listContainers(host, `${clusterLabel}=${cluster}`)
  await removeContainers(
    host,
    ours.filter(({ name }) => name === loadedRegistryContainer(cluster)),
  )
  const files = hostsFiles({ registry: registryInNetwork(cluster), upstream: {}, sealed: true })
  await writeMirrors(host, nodes, files, host.paths.temp)
}
