import { writeFileSync } from 'node:fs'
import path from 'node:path'

// Workflows of one job that test/e2e/act.test.ts needs beside the examples, written into a folder.

/** A cluster with these inputs, then a step that fails. */
export function failingWorkflow(
  folder: string,
  name: string,
  inputs: Readonly<Record<string, string | number>>,
): string {
  const given = Object.entries({ 'image-source': 'packages', ...inputs })
  return workflow(
    folder,
    name,
    `      - uses: org/k8s-platform/setup-cluster@v1
        id: cluster
        with: { ${given.map(([input, value]) => `${input}: ${value}`).join(', ')} }
      - run: exit 1`,
  )
}

/** The image that the job of {@link tourWorkflow} builds, and the namespace it is deployed to. */
export const ownImage = 'kp-act-own:ci'
export const ownNamespace = 'shop'
/** Nobody serves it: a pod that were to run it would never start. */
const named = 'registry.invalid/shop/web'

/**
 * The root action as far as the cluster, which later steps use: kubectl, and each action for any app: an image that the job builds from `base`, loaded, deployed in place of
 * what a kustomization names, and looked at.
 */
export function tourWorkflow(folder: string, base: string): string {
  // The root action has no input for the number of nodes: that stands in the spec.
  return workflow(
    folder,
    'tour',
    `      - id: spec
        run: |
          echo 'apiVersion: k8s-platform/v1' > platform.yaml
          echo 'cluster: { workers: 0 }' >> platform.yaml
      - uses: org/k8s-platform@v1
        id: cluster
        with: { spec: platform.yaml, through: cluster, image-source: packages }
      - run: kubectl get nodes --output name
      - id: build
        run: |
          mkdir web k8s
          echo 'made by the job' > web/proof
          echo 'FROM ${base}' > web/Dockerfile
          echo 'COPY proof /proof' >> web/Dockerfile
          DOCKER_BUILDKIT=0 docker build --quiet --network none --tag ${ownImage} web
${kustomization()
  .map(([name, text]) => `          echo '${text}' > k8s/${name}\n`)
  .join('')}\
      - uses: org/k8s-platform/load-images@v1
        id: load
        with: { images: '${ownImage}' }
      - uses: org/k8s-platform/deploy@v1
        id: own
        with: { kustomize: k8s, release: own, images: '${named}=${ownImage}', namespace: ${ownNamespace} }
      - id: runs
        run: |
          kubectl --namespace ${ownNamespace} exec deployment/own -- cat /proof
          kubectl --namespace ${ownNamespace} get pods --output jsonpath='{.items[*].metadata.annotations.k8s-platform/image-content}'
      - uses: org/k8s-platform/assert@v1
        id: proof
        with: { target: generic, namespace: ${ownNamespace} }`,
  )
}

/** Files by name; JSON, which is YAML, without a quote of the shell's. */
function kustomization(): [name: string, text: string][] {
  const labels = { app: 'own' }
  const metadata = { name: 'own' }
  const container = {
    name: 'web',
    image: `${named}:of-the-registry`,
    command: ['busybox', 'httpd', '-f', '-p', '8080', '-h', '/'],
    readinessProbe: { httpGet: { path: '/proof', port: 8080 }, periodSeconds: 1 },
  }
  const template = { metadata: { labels }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } }
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }]
  const files = {
    'kustomization.yaml': { resources: ['deployment.yaml', 'service.yaml'] },
    'deployment.yaml': {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { selector: { matchLabels: labels }, template },
    },
    'service.yaml': {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { type: 'NodePort', selector: labels, ports },
    },
  }
  return Object.entries(files).map(([name, content]) => [name, JSON.stringify(content)])
}

/** The teardown action, twice. */
export function teardownWorkflow(folder: string, cluster: string): string {
  const step = (id: string): string => `      - uses: org/k8s-platform/teardown@v1
        id: ${id}
        with: { cluster-name: ${cluster} }`
  return workflow(folder, 'teardown', `${step('first')}\n${step('again')}`)
}

function workflow(folder: string, name: string, steps: string): string {
  const file = path.join(folder, `${name}.yml`)
  const job = `    runs-on: ubuntu-24.04\n    permissions: {}\n    steps:\n${steps}\n`
  writeFileSync(file, `name: ${name}\non: workflow_dispatch\npermissions: {}\njobs:\n  job:\n${job}`)
  return file
}
