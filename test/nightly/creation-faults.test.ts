import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, describe, it } from 'vitest'
import { startArtifactService } from '../support/artifact-service.ts'
import { creationFaults } from '../support/creation-faults.ts'
import { clusterJob, leftOf, lifeCycleHost, surroundings } from '../support/life-cycle.ts'
import { mended, proveFault } from '../support/prove-fault.ts'
import { runCreationFault, runTransientRetry } from '../support/run-creation-fault.ts'
import { endJobs } from '../support/runner.ts'

describe('a creation that cannot succeed names the culprit first', () => {
  it.each(creationFaults.map((entry) => [entry.fault, entry] as const))('%s', async (_fault, entry) => {
    await runCreationFault(entry)
  })
})

describe('a creation that can succeed', () => {
  it('is tried again after a failure that is known to pass, on a clean slate, with the logs of the first try kept', async () => {
    await runTransientRetry()
  })
})

describe('a creation that cannot succeed, as a workflow sees it', () => {
  afterEach(endJobs)

  const annotated = {
    section: 'creation',
    fault: 'CoreDNS has an image tag that no registry has: the built action in a job',
    expected: 'one ::error, with the culprit first; a summary under 1 MiB, one artifact, nothing left',
  } as const

  it('is one annotation, a summary and an artifact', () =>
    mended(annotated, (mend) =>
      proveFault(annotated, async () => {
        const host = lifeCycleHost('culprit')
        mend(async () => host.remove())
        const service = await startArtifactService()
        mend(() => service.close())
        const before = await surroundings()
        const config = path.join(host.folder, 'workspace', 'kind.yaml')
        mkdirSync(path.dirname(config), { recursive: true })
        const kubeadmConfigPatches = ['kind: ClusterConfiguration\ndns:\n  imageTag: v0.0.0-missing\n']
        // JSON is YAML.
        writeFileSync(
          config,
          JSON.stringify({ kind: 'Cluster', apiVersion: 'kind.x-k8s.io/v1alpha4', kubeadmConfigPatches }),
        )
        const job = clusterJob(
          host,
          { config },
          { env: { ACTIONS_RESULTS_URL: service.url, ACTIONS_RUNTIME_TOKEN: service.token } },
        )
        const { steps } = await job.done
        const errors = steps.flatMap(({ commands }) => commands).filter(({ name }) => name === 'error')
        const first = errors[0]?.message.split('\n')[0] ?? 'no annotation'
        const names = service.artifacts.map(({ name }) => name)
        const summary = steps.map((step) => step.summary).join('')
        const wrong = [
          ...(errors.length === 1 ? [] : [`${errors.length} errors: ${JSON.stringify(errors)}\n${job.log()}`]),
          ...(/^image \S*coredns:v0\.0\.0-missing cannot be pulled/.test(first) ? [] : [`it begins ${first}`]),
          ...(summary.includes('cannot be pulled') && summary.length < 2 ** 20 ? [] : [`the summary: ${summary}`]),
          ...(names.length === 1 ? [] : [`artifacts: ${names.join(', ')}`]),
          ...(await leftOf(host, before)),
        ]
        return { seen: `${errors.length} ::error: ${first}`, wrong }
      }),
    ))
})
