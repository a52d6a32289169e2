import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { InputError, UnsupportedError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'

const tableSchema = z.strictObject({
  comment: z.string().optional(),
  rows: z
    .array(
      z.strictObject({
        /** Of module k8s.io/kubernetes, without `v`. */
        kubernetes: z.string().regex(/^1\.\d+\.\d+$/),
        /** `tag`: the image tag that kubeadm of this version asks for. */
        etcd: z.strictObject({ module: z.string(), version: z.string(), tag: z.string() }),
        coredns: z.strictObject({ module: z.string(), version: z.string(), tag: z.string() }),
        pause: z.strictObject({ tag: z.string() }),
      }),
    )
    .min(1),
})

/** One Kubernetes version and the versions that belong to it. */
export type KubernetesRow = z.infer<typeof tableSchema>['rows'][number]

async function readTable(host: Pick<Host, 'paths'>): Promise<readonly KubernetesRow[]> {
  const file = join(host.paths.assets, 'images/kubernetes-versions.json')
  const result = tableSchema.safeParse(JSON.parse(await readFile(file, 'utf8')))
  if (result.success) return result.data.rows
  throw new InputError(
    result.error.issues.map((issue) => ({ name: `${file} ${issue.path.join('.')}`, problem: issue.message })),
  )
}

/** Exact versions a node image can be built for, as the table has them, such as `1.34.3`. */
export async function supportedKubernetesVersions(host: Pick<Host, 'paths'>): Promise<readonly string[]> {
  return (await readTable(host)).map((row) => row.kubernetes)
}

/** The row of a version, with or without `v`. Rejects with UnsupportedError that names the rows there are. */
export async function kubernetesRow(host: Pick<Host, 'paths'>, version: string): Promise<KubernetesRow> {
  const rows = await readTable(host)
  const row = rows.find((candidate) => candidate.kubernetes === version.replace(/^v/, ''))
  if (row !== undefined) return row
  throw new UnsupportedError(
    `Kubernetes ${version} cannot be built from package registries; images/kubernetes-versions.json has ${rows.map((known) => known.kubernetes).join(', ')}`,
    { code: 'KUBERNETES_NOT_IN_TABLE', hint: 'Ask for one of these, add a row, or use image-source: registry.' },
  )
}

/** What recipes may refer to: `${kubernetes.version}`, `${etcd.tag}` and so on. */
export function recipeVariables(
  row: KubernetesRow,
  architecture: NodeJS.Architecture,
): Readonly<Record<string, string>> {
  const [, minor = '', patch = ''] = row.kubernetes.split('.')
  const arch = architecture === 'arm64' ? 'arm64' : 'amd64'
  return {
    'kubernetes.version': row.kubernetes,
    'kubernetes.minor': minor,
    'kubernetes.staging': `v0.${minor}.${patch}`,
    'etcd.module': row.etcd.module,
    'etcd.version': row.etcd.version,
    'etcd.tag': row.etcd.tag,
    'coredns.module': row.coredns.module,
    'coredns.version': row.coredns.version,
    'coredns.tag': row.coredns.tag,
    'pause.tag': row.pause.tag,
    'arch.go': arch,
    'arch.node': arch === 'amd64' ? 'x64' : 'arm64',
  }
}
