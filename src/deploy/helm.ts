import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { CommandError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { helmError } from './helm-error.ts'

/** Where Helm acts, and with which program. */
export interface HelmTarget {
  /** Path of the helm 3 program. */
  readonly helm: string
  readonly kubeconfig: string
  readonly context?: string
  readonly namespace: string
}

export interface HelmUpgrade {
  readonly release: string
  /** Folder of the chart. */
  readonly chart: string
  /** Labels of the release's record, to find out later what it was made from. */
  readonly labels: Readonly<Record<string, string>>
  /** Version of a chart that is not a folder. */
  readonly version?: string
  /** Names of values files, applied in this order before the values given on stdin. */
  readonly baseFiles?: readonly string[]
  /** And after them. */
  readonly valuesFiles: readonly string[]
  /** Render and ask the server, change nothing. */
  readonly dryRun?: boolean
}

/** What Helm says of the release it has just written. */
export interface HelmRelease {
  readonly name: string
  readonly version: number
  readonly manifest: string
  readonly info: { readonly status: string }
}

/** Revisions kept for a rollback by hand. */
const historyMax = 5

/** argv of `helm upgrade --install`. No `--wait`: Helm's knows neither the reason nor the culprit. Values come on stdin: they may hold secrets. */
export function upgradeArgs(target: HelmTarget, upgrade: HelmUpgrade): string[] {
  const labels = Object.entries(upgrade.labels).map(([name, value]) => `${name}=${value}`)
  return [
    'upgrade',
    upgrade.release,
    upgrade.chart,
    '--install',
    `--namespace=${target.namespace}`,
    `--kubeconfig=${target.kubeconfig}`,
    ...(target.context === undefined ? [] : [`--kube-context=${target.context}`]),
    '--reset-values',
    ...(upgrade.version === undefined ? [] : [`--version=${upgrade.version}`]),
    ...(upgrade.dryRun === true ? ['--dry-run=server'] : []),
    ...(upgrade.baseFiles ?? []).map((file) => `--values=${file}`),
    '--values=-',
    ...upgrade.valuesFiles.map((file) => `--values=${listItem(file)}`),
    `--history-max=${historyMax}`,
    ...(labels.length === 0 ? [] : [`--labels=${labels.join(',')}`]),
    '--output=json',
  ]
}

/** Helm takes a list here, written as a line of CSV: a comma in a name is not to end it. */
function listItem(text: string): string {
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/**
 * Installs or upgrades and returns as soon as the API server has taken every object.
 * @throws InputError for values the chart's schema refuses; ToolkitError HELM_FAILED for anything else Helm says no to.
 */
export async function helmUpgrade(
  host: Host,
  target: HelmTarget,
  upgrade: HelmUpgrade,
  values: unknown,
  timeoutMs: number,
): Promise<HelmRelease> {
  const env = await helmEnvironment(host)
  try {
    const result = await host.exec.run(target.helm, upgradeArgs(target, upgrade), {
      // JSON is YAML.
      input: JSON.stringify(values),
      env,
      timeoutMs: Math.ceil(timeoutMs),
      quiet: true,
    })
    return JSON.parse(result.stdout) as HelmRelease
  } catch (error) {
    throw error instanceof CommandError && !error.timedOut ? helmError(error, upgrade) : error
  }
}

/** Helm writes below HOME unless told otherwise, and obeys variables that would lead it to another cluster, namespace or storage than the arguments say. */
async function helmEnvironment(host: Host): Promise<Record<string, string>> {
  const folder = path.join(host.paths.temp, 'helm')
  await mkdir(folder, { recursive: true })
  const kept = Object.entries(host.env).filter(([name]) => !name.startsWith('HELM_') && name !== 'KUBECONFIG')
  return {
    ...Object.fromEntries(kept),
    HELM_CACHE_HOME: path.join(folder, 'cache'),
    HELM_CONFIG_HOME: path.join(folder, 'config'),
    HELM_DATA_HOME: path.join(folder, 'data'),
    HELM_DRIVER: 'secret',
    // What it learns of the API's kinds, else below HOME/.kube.
    KUBECACHEDIR: path.join(folder, 'kube'),
  }
}
