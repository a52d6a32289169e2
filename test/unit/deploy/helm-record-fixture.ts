import { gzipSync } from 'node:zlib'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'

export interface HelmRecordFixture {
  readonly release: string
  readonly namespace: string
  readonly revision: number
  readonly manifest: string
  readonly status?: string
  /** Beside those that Helm writes itself. */
  readonly labels?: Readonly<Record<string, string>>
}

/** The Secret in which Helm keeps a revision: the release as JSON, packed, and in base64 twice, by Helm and by Kubernetes. */
export function helmRecord({ release, namespace, revision, manifest, ...more }: HelmRecordFixture): KubeObject {
  const { status = 'deployed', labels = {} } = more
  const packed = gzipSync(JSON.stringify({ manifest })).toString('base64')
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: `sh.helm.release.v1.${release}.v${revision}`,
      namespace,
      labels: { owner: 'helm', name: release, version: String(revision), status, ...labels },
    },
    data: { release: Buffer.from(packed).toString('base64') },
  }
}
