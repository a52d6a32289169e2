import path from 'node:path'

/** Every variable of ours, in one place. Everything else comes by inputs, spec or flags. */
export const variables = {
  K8S_PLATFORM_STATE_DIR:
    'Folder for what a later run must know to clean up. Default: $XDG_STATE_HOME/k8s-platform or ~/.local/state/k8s-platform.',
  K8S_PLATFORM_CACHE_DIR:
    'Folder for built images and downloads; may be deleted at any time. Default: $XDG_CACHE_HOME/k8s-platform or ~/.cache/k8s-platform.',
  K8S_PLATFORM_NIGHTLY:
    "Only for this repository's tests: set and not empty, tests with generated input try ten times as much. `npm run test:nightly` sets it.",
  K8S_PLATFORM_TEST_RUN:
    "Only for this repository's tests: the run that rows of `docs/reliability.md` belong to. `npm test` sets it.",
  K8S_PLATFORM_TEST_COMMIT:
    "Only for this repository's tests: the commit that rows of `docs/reliability.md` tell. `npm test` sets it.",
  K8S_PLATFORM_E2E_KUBECONFIG:
    "Only for this repository's tests: kubeconfig of a cluster with the voting app, for work on one drill; without it they take the cluster they share.",
  K8S_PLATFORM_VOTES_SEED:
    "Only for this repository's tests: seed of an earlier run of the no-vote-lost drills, which prints it; the same votes, kills and times again.",
} as const

type Environment = Readonly<Record<string, string | undefined>>

/** Where cluster records live. Absolute. */
export function stateFolder(env: Environment): string {
  return folder(env['K8S_PLATFORM_STATE_DIR'], env['XDG_STATE_HOME'], home(env, '.local/state'))
}

/** Where built images and downloads live. Absolute. */
export function cacheFolder(env: Environment): string {
  return folder(env['K8S_PLATFORM_CACHE_DIR'], env['XDG_CACHE_HOME'], home(env, '.cache'))
}

function folder(own: string | undefined, xdg: string | undefined, fallback: string): string {
  if (own !== undefined && own !== '') return path.resolve(own)
  // The XDG specification says: a relative value is to be ignored.
  return path.join(xdg !== undefined && path.isAbsolute(xdg) ? xdg : fallback, 'k8s-platform')
}

function home(env: Environment, below: string): string {
  return path.join(env['HOME'] || '/root', below)
}
