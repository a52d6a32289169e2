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

/** The root action as far as the cluster, which a later step uses. */
export function tourWorkflow(folder: string): string {
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
      - run: kubectl get nodes --output name`,
  )
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
