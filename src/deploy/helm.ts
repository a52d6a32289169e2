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

/** Stands for the values that are given on stdin, since any text may be the name of a file. */
export const givenValues = Symbol('values given on stdin')

export type ValuesSource = string | typeof givenValues

export interface HelmUpgrade {
  readonly release: string
  /** Folder of the chart. */
  readonly chart: string
  /** Labels of the release's record, to find out later what it was made from. */
  readonly labels: Readonly<Record<string, string>>
  /** Version of a chart that is not a folder. */
  readonly version?: string
  /** Values files and, at its place among them, {@link givenValues}: later ones win. */
  readonly values: readonly ValuesSource[]
  /** Render and ask the server, change nothing. */
  readonly dryRun?: boolean
}

/** What Helm says of the release it has just written. */
export interface HelmRelease {
  readonly name: string
  readonly version: number
  readonly manifest: string
  /** What the chart runs before and after, which is no part of the manifest. */
  readonly hooks?: readonly { readonly manifest: string }[]
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
    ...upgrade.values.map((source) => `--values=${source === givenValues ? '-' : listItem(path.resolve(source))}`),
    `--history-max=${historyMax}`,
    ...(labels.length === 0 ? [] : [`--labels=${labels.join(',')}`]),
    '--output=json',
  ]
}

/**
 * Helm takes a list here, written as a line of CSV: neither a comma nor the end of a line in a name is to end it. The path is absolute, so that no name is read as
 * stdin (`-`) or as a URL.
 */
function listItem(file: string): string {
  return /[",\r\n]/.test(file) ? `"${file.replaceAll('"', '""')}"` : file
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
