import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { renderRbac } from '../../src/assert/rbac.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { runCli } from '../support/cli.ts'
import { accountKubeconfig, missingRights } from '../support/limited-account.ts'
import { kubectl, plainAppManifest } from '../support/plain-app.ts'
import { removeAccount, runWithout } from '../support/run-limited.ts'
import { type DrillCluster, drillCluster, redOf } from './cluster-fixture.ts'

/** `assert` alone: a namespace that kubectl made, an account that has what the README states and no more. */
const place = { namespace: 'plain-app', probeNamespace: 'plain-probes' }
const generic = ['readiness', 'dns', 'service-routing'] as const

let cluster: DrillCluster
const reportDir = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-alone-'))

beforeAll(async () => {
  cluster = await drillCluster()
  await kubectl(cluster, ['apply', '-f', '-'], plainAppManifest(place.namespace))
  await kubectl(cluster, ['rollout', 'status', 'deployment/plain', '-n', place.namespace, '--timeout=100s'])
})
afterAll(async () => {
  await removeAccount(cluster, { ...place, suites: generic })
  await kubectl(cluster, ['delete', 'namespace', place.namespace, '--ignore-not-found', '--wait=false'])
  rmSync(reportDir, { recursive: true, force: true })
})

describe('assert alone', () => {
  it('is green with the rights that it prints, and says of what it did not make', async () => {
    const args = ['--target', 'generic', '--namespace', place.namespace, '--probe-namespace', place.probeNamespace]
    const printed = await runCli(['assert', '--print-rbac', ...args])
    expect(printed.stdout.trim()).toBe(renderRbac({ ...place, suites: generic }).trim())
    await kubectl(cluster, ['apply', '-f', '-'], printed.stdout)
    const kubeconfig = await accountKubeconfig(cluster, place.probeNamespace)
    const run = await runCli(['assert', '--kubeconfig', kubeconfig, '--report-dir', reportDir, ...args])
    const record = JSON.parse(readFileSync(path.join(reportDir, 'assertions.json'), 'utf8')) as RunRecord
    expect(redOf(record), run.log).toEqual({})
    expect(run.code).toBe(0)
    expect(record.suites).toEqual(generic)
    expect(record.checks.find(({ id }) => id === 'S1.backends')?.reason).toMatch(/^4 backends of 2 Services connect/)
    // What the run made goes, the namespace it was given stays.
    await cluster.kubernetes.until(
      'the probes gone',
      { apiVersion: 'v1', kind: 'Pod' },
      { namespace: place.probeNamespace },
      {
        timeoutMs: 60_000,
        done: (pods) => pods.length === 0,
        explain: (pods) => `${pods.length} pods`,
      },
    )
  })

  // One of the API's reading, one of the probes' making, one of the asking; the nightly tests take away each.
  it.each(
    missingRights()
      .map((missing, i) => ({ ...missing, i }))
      .filter(({ title }) =>
        ['list pods in app', 'patch services in probes', 'get pods/exec in probes'].includes(title),
      ),
  )('without $title is inconclusive and says so', async ({ i, ...missing }) => {
    await runWithout(cluster, missing, { ...place, probeNamespace: `rights-${i}` })
  })
})
