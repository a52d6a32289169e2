import path from 'node:path'
import type { ImageSource } from '../cluster/provider.ts'
import { listStates } from '../cluster/state.ts'
import { type DeployRequest, deploy } from '../deploy/deploy.ts'
import { renderDeploymentText } from '../deploy/deploy-report.ts'
import { deployRequest, deployTools } from '../deploy/deploy-request.ts'
import type { HelmChoice } from '../deploy/helm-program.ts'
import { renderRights } from '../deploy/print-rights.ts'
import { chooseImageSource } from '../pipeline/choose-image-source.ts'
import type { Host } from '../process/host.ts'
import { parseDuration } from '../spec/duration.ts'
import type { Parsed } from './arguments.ts'
import { targetCluster } from './assert.ts'
import { exitCodes } from './exit-codes.ts'
import { defaultClusterName, type RunCommand, text } from './run-command.ts'

/** Any app onto a cluster of ours by name, or any cluster by kubeconfig. */
export const deployCommand: RunCommand = async (host, _command, parsed, print) => {
  const request = deployRequestOf(host, parsed)
  const cluster = (): Promise<Target> => targetCluster(host, parsed, text(parsed, 'cluster-name') ?? defaultClusterName)
  const source = async (): Promise<ImageSource> => imageSourceOf(host, parsed, (await cluster()).kubeconfig)
  const tools = deployTools(cluster, source, helmChoice(parsed))
  if (parsed.flags['print-rbac'] === true) {
    print(await renderRights(host, request, tools))
    return exitCodes.ok
  }
  const done = await deploy(host, request, tools)
  print(renderDeploymentText(done))
  return exitCodes.ok
}

/** What the flags ask for. @throws InputError */
export function deployRequestOf(host: Pick<Host, 'env' | 'log'>, parsed: Parsed): DeployRequest {
  return deployRequest(host, {
    chart: text(parsed, 'chart'),
    chartVersion: text(parsed, 'chart-version'),
    kustomize: text(parsed, 'kustomize'),
    manifests: list(parsed, 'manifests'),
    images: list(parsed, 'images'),
    values: list(parsed, 'values'),
    set: list(parsed, 'set'),
    release: text(parsed, 'release'),
    namespace: text(parsed, 'namespace'),
    createNamespace: parsed.flags['create-namespace'] !== false,
    prune: parsed.flags['prune'] === true,
    forceConflicts: parsed.flags['force-conflicts'] === true,
    dryRun: parsed.flags['dry-run'] === true,
    timeoutMs: parseDuration(text(parsed, 'timeout') ?? '5m', '--timeout'),
  })
}

type Target = Awaited<ReturnType<typeof targetCluster>>

/** What the cluster was made with where it is one of ours, else what answers here. */
async function imageSourceOf(host: Host, parsed: Parsed, kubeconfig: string): Promise<ImageSource> {
  const made = (await listStates(host)).find((state) => path.resolve(state.kubeconfig) === path.resolve(kubeconfig))
  return (
    made?.imageSource ??
    (await chooseImageSource(host, (text(parsed, 'image-source') as ImageSource | 'auto' | undefined) ?? 'auto', {}))
  )
}

function helmChoice(parsed: Parsed): HelmChoice {
  const [downloadBaseUrl, version] = [text(parsed, 'download-base-url'), text(parsed, 'helm-version')]
  return {
    ...(downloadBaseUrl === undefined ? {} : { downloadBaseUrl }),
    ...(version === undefined ? {} : { version }),
  }
}

function list(parsed: Parsed, name: string): readonly string[] | undefined {
  const value = parsed.flags[name]
  return Array.isArray(value) ? value : undefined
}
