import path from 'node:path'
import { currentOwner } from '../cluster/owner.ts'
import { type Platform, provePlatform } from '../pipeline/prove-platform.ts'
import { renderTableText } from '../report/table.ts'
import { requireKind } from '../spec/settings.ts'
import { exitCodes } from './exit-codes.ts'
import { type RunCommand, settingsOf, settledRequest, text, throughOf } from './run-command.ts'

/** From nothing to a proven platform. Run again, it finds the cluster and proves it again. */
export const up: RunCommand = async (host, command, parsed, print) => {
  const { settings } = await settingsOf(host, command, parsed)
  requireKind(settings)
  if (parsed.flags['install-docker'] === true) {
    host.log.info(
      '--install-docker: a Docker engine is installed and started where none answers; `down --all` removes it',
    )
  }
  const { ensureEngine } = await import('../engine/ensure.ts')
  await ensureEngine(host, { install: parsed.flags['install-docker'] === true })
  const { name: clusterName, imageSource } = await settledRequest(host, settings)
  const folder = path.join(host.paths.state, 'clusters', clusterName)
  const reportDir = text(parsed, 'report-dir') ?? path.join(folder, 'report')
  const platform = await provePlatform(host, settings, {
    clusterName,
    imageSource,
    through: throughOf(parsed),
    reportDir,
    setup: { owner: await currentOwner({ pid: process.pid, kind: 'person' }), machine: process, folder, reuse: true },
  })
  printPlatform(platform, print)
  if (platform.record !== undefined) print(`reports   ${reportDir}`)
  return platform.record?.verdict === 'fail' ? exitCodes.red : exitCodes.ok
}

function printPlatform(platform: Platform, print: (text: string) => void): void {
  const { cluster, app, record } = platform
  if (record !== undefined)
    print(renderTableText(record, { color: process.stdout.isTTY === true, width: process.stdout.columns ?? 120 }))
  print('')
  print(
    `cluster   ${cluster.name}: ${cluster.nodes.length} nodes, Kubernetes ${cluster.kubernetesVersion}${cluster.reused ? ', was there already' : ''}`,
  )
  print(`kubectl   export KUBECONFIG=${cluster.kubeconfig}`)
  if (app?.voteUrl !== undefined) print(`vote      ${app.voteUrl}`)
  if (app?.resultUrl !== undefined) print(`results   ${app.resultUrl}`)
}
