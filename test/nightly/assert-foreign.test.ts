import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import type { RunRecord } from '../../src/report/record.ts'
import { redOf } from '../e2e/cluster-fixture.ts'
import { runCli } from '../support/cli.ts'
import { type ForeignCluster, makeForeignCluster } from '../support/foreign-cluster.ts'
import { foreignFaults, foreignHealthy, foreignPlace, foreignRow } from '../support/foreign-faults.ts'
import { accountKubeconfig } from '../support/limited-account.ts'
import { kubectl, plainApp, plainAppManifest } from '../support/plain-app.ts'
import { mended, proveFault } from '../support/prove-fault.ts'
import { expectGreen, findingOf } from '../support/run-drill.ts'

/** `assert` on a cluster that nothing of ours made: kind made it, kubectl brought the app, and the account has what `--print-rbac` prints. */
const { namespace, probeNamespace } = foreignPlace
const args = ['--target', 'generic', '--namespace', namespace, '--probe-namespace', probeNamespace]

let foreign: ForeignCluster | undefined
let account = ''
let healthy: RunRecord

beforeAll(async () => {
  foreign = await makeForeignCluster('kp-foreign')
  const { cluster } = foreign
  await kubectl(cluster, ['apply', '-f', '-'], plainAppManifest(namespace))
  await kubectl(cluster, ['rollout', 'status', `deployment/${plainApp}`, '-n', namespace, '--timeout=100s'])
  const printed = await runCli(['assert', '--print-rbac', ...args])
  await kubectl(cluster, ['apply', '-f', '-'], printed.stdout)
  account = await accountKubeconfig(cluster, probeNamespace)
  healthy = await assertAlone()
})
afterAll(() => foreign?.remove())

/** Breaks, mends and asks as the administrator. */
function administer(command: readonly string[]): Promise<string> {
  if (foreign === undefined) throw new Error('there is no cluster')
  return kubectl(foreign.cluster, command)
}

/** As the account, by the command line; its exit code says what the record says. */
async function assertAlone(): Promise<RunRecord> {
  const reportDir = path.join(path.dirname(account), 'report')
  const run = await runCli(['assert', '--kubeconfig', account, '--report-dir', reportDir, ...args])
  if (run.code !== exitCodes.ok && run.code !== exitCodes.red)
    throw new Error(`assert ended with ${run.code}: ${run.log}`)
  const record = JSON.parse(readFileSync(path.join(reportDir, 'assertions.json'), 'utf8')) as RunRecord
  expect(record.verdict).toBe(run.code === exitCodes.ok ? 'pass' : 'fail')
  return record
}

describe('a cluster of plain kind', () => {
  it('has nothing that our clusters have', async () => {
    const ports = ['get', 'configmap', 'k8s-platform-host-ports', '-n', 'kube-system', '--ignore-not-found']
    expect(await administer(ports)).toBe('')
    // The one that was given for the probes apart.
    const known = ['default', 'kube-node-lease', 'kube-public', 'kube-system', 'local-path-storage']
    const names = await administer(['get', 'namespaces', '--output', 'jsonpath={.items[*].metadata.name}'])
    expect(names.split(' ').sort()).toEqual([...known, namespace, probeNamespace].sort())
  })

  it('is green as it is', async () => {
    await proveFault(foreignHealthy, async () => {
      const red = Object.entries(redOf(healthy)).map(([id, reason]) => `${id}: ${reason}`)
      const passed = healthy.checks.filter(({ verdict }) => verdict === 'pass').length
      return { seen: red[0] ?? `${passed} checks passed`, wrong: [...red, ...healthy.problems] }
    })
    expectGreen(healthy)
    const reasonOf = (id: string): string | undefined => healthy.checks.find((check) => check.id === id)?.reason
    expect(reasonOf('R1.probes')).toBe(`${foreign?.nodes.length} of ${foreign?.nodes.length} nodes answered`)
    expect(reasonOf('S1.backends')).toMatch(/^4 backends of 2 Services connect/)
  })

  it.each(foreignFaults)('$fault', async (drill) => {
    const { exactly, breaks, mends, settles } = drill
    const row = foreignRow(drill)
    await mended(row, (mend) =>
      proveFault(row, async () => {
        if (settles !== undefined) mend(() => administer(settles))
        mend(() => administer(mends))
        await administer(breaks)
        if (settles !== undefined) await administer(settles)
        return findingOf(exactly, await assertAlone(), healthy)
      }),
    )
  })

  it('is green again afterwards', async () => expectGreen(await assertAlone()))
})
