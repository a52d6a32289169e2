import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { defaultProbeImage } from '../../../src/assert/probe-pods.ts'
import type { KubeObject } from '../../../src/kubernetes/objects.ts'

/** Each as a folder that `deploy` takes. */
export type SampleForm = 'manifests' | 'kustomize' | 'chart'

/**
 * A Deployment and a NodePort; the first revision has a PodDisruptionBudget that the second has no more. None of these kinds is one that a deployment itself needs rights to,
 * so that each right can be told from the other.
 */
export function sampleObjects(revision: 1 | 2): KubeObject[] {
  const labels = { app: 'web' }
  const metadata = { name: 'web' }
  const answer = 'require("http").createServer((_, out) => out.end(process.env.REVISION)).listen(8080)'
  const container = {
    name: 'web',
    image: defaultProbeImage,
    command: ['node', '-e', answer],
    env: [{ name: 'REVISION', value: String(revision) }],
    readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
  }
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 0, containers: [container] } }
  const budget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata, spec: { minAvailable: 0 } }
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { replicas: 1, selector: { matchLabels: labels }, template },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { type: 'NodePort', selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
    },
    ...(revision === 1 ? [budget] : []),
  ]
}

/** The folder with that revision, in the form that `deploy` takes. */
export function writeSample(parent: string, form: SampleForm, revision: 1 | 2): string {
  const folder = path.join(parent, `${form}-${revision}`)
  const inner = form === 'chart' ? path.join(folder, 'templates') : folder
  mkdirSync(inner, { recursive: true })
  const text = sampleObjects(revision).map((object) => JSON.stringify(object))
  writeFileSync(path.join(inner, 'web.yaml'), text.join('\n---\n'))
  if (form === 'chart')
    writeFileSync(path.join(folder, 'Chart.yaml'), `{apiVersion: v2, name: web, version: 0.0.${revision}}`)
  if (form === 'kustomize') writeFileSync(path.join(folder, 'kustomization.yaml'), 'resources: [web.yaml]\n')
  return folder
}
