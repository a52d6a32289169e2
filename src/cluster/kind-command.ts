/** What `kind create cluster` is given. The config comes on stdin. */
export interface CreateArguments {
  readonly name: string
  readonly image: string
  readonly kubeconfig: string
  /** The user's own, one word per element; they come last, so they win; the preflight has refused those that are ours. */
  readonly extraArgs: readonly string[]
}

/**
 * `--retain` keeps the nodes of a failed creation for their logs; we remove them ourselves. `--wait 0s`: kind's own wait looks at control planes only and a
 * time-out there passes as success, so our gate waits instead.
 */
export function createArgs(options: CreateArguments): string[] {
  return [
    'create',
    'cluster',
    '--name',
    options.name,
    '--image',
    options.image,
    '--kubeconfig',
    options.kubeconfig,
    '--config',
    '-',
    '--retain',
    '--wait',
    '0s',
    ...options.extraArgs,
  ]
}

export function exportLogsArgs(name: string, folder: string): string[] {
  return ['export', 'logs', folder, '--name', name]
}

export function exportKubeconfigArgs(name: string, kubeconfig: string): string[] {
  return ['export', 'kubeconfig', '--name', name, '--kubeconfig', kubeconfig]
}

/** kind's choices by environment: the engine, and which Docker network the nodes join. */
export function kindEnv(env: Readonly<Record<string, string>>, network: string): Record<string, string> {
  return { ...env, KIND_EXPERIMENTAL_PROVIDER: 'docker', KIND_EXPERIMENTAL_DOCKER_NETWORK: network }
}
