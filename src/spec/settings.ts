import type { ClusterRequest, NodeRequest } from '../cluster/provider.ts'
import { InputError, type Problem, UnsupportedError } from '../process/errors.ts'
import { isMapping } from '../process/is-mapping.ts'
import { nearestName } from '../process/nearest-name.ts'
import { parseDuration } from './duration.ts'
import { type LoadedSpec, problemsOf, renderPath, type SpecPath } from './load-spec.ts'
import { type Spec, type SpecBody, specSchema, suites } from './schema.ts'

/** What a run does: spec, profile and inputs merged (inputs win), defaults applied. */
export interface Settings {
  readonly provider: NonNullable<NonNullable<SpecBody['cluster']>['provider']>
  /** Without a name, which the caller makes from the run, and with `auto` still to be decided by looking at the network. */
  readonly cluster: Omit<ClusterRequest, 'name' | 'imageSource'> & {
    readonly name?: string
    readonly imageSource: 'registry' | 'packages' | 'auto'
  }
  readonly components: readonly 'metrics-server'[]
  readonly app: {
    readonly namespace: string
    readonly images: 'auto' | 'published' | 'build'
    readonly values?: string
    readonly timeoutMs: number
  }
  readonly assertions: {
    readonly suites: readonly (typeof suites)[number][]
    /** True where somebody named the suites: one of them skipped is then a failure. */
    readonly suitesByName: boolean
    readonly failOn: readonly ('fail' | 'inconclusive' | 'skipped')[]
    readonly allowSkip: readonly (typeof suites)[number][]
    readonly timeoutMs: number
  }
}

/** Values given outside the spec, by their place in it: `{ 'cluster.workers': 2 }`. They win over profile and spec. */
export type Overrides = Readonly<Record<string, unknown>>

/** How the giver of an override calls it: `--workers`, or an input's name. By place, as in {@link Overrides}. */
export type GivenAs = Readonly<Record<string, { readonly name: string; readonly example?: string }>>

const maxNodes = 50

/**
 * @throws InputError for an unknown profile, an override that the schema refuses, or a contradiction between the parts.
 */
export function resolveSettings(options: {
  spec?: LoadedSpec
  profile?: string
  overrides?: Overrides
  givenAs?: GivenAs
  defaultImageSource: 'registry' | 'auto'
}): Settings {
  const given = options.spec?.spec
  const overlaid = merge(bodyOf(given), profileOf(given, options.profile))
  const body = bodyOf(withOverrides(overlaid, options.overrides ?? {}, options.givenAs ?? {}))
  const cluster = body.cluster ?? {}
  const problems: Problem[] = []
  const controlPlanes = cluster.controlPlanes ?? 1
  const workers = cluster.workers ?? 3
  if (cluster.nodes !== undefined && (cluster.controlPlanes !== undefined || cluster.workers !== undefined)) {
    problems.push({
      name: 'cluster.nodes',
      problem: 'cannot be given together with cluster.controlPlanes or cluster.workers',
      allowed: 'either the nodes one by one or the counts',
    })
  }
  if (cluster.nodes?.every((entry) => entry.role !== 'control-plane') === true) {
    problems.push({ name: 'cluster.nodes', problem: 'has no control plane', example: '- role: control-plane' })
  }
  if ((cluster.nodes?.length ?? controlPlanes + workers) > maxNodes) {
    problems.push({
      name: 'cluster',
      value: String(cluster.nodes?.length ?? controlPlanes + workers),
      problem: 'has too many nodes',
      allowed: `at most ${maxNodes}`,
    })
  }
  if (problems.length > 0) throw new InputError(problems)

  const counted: NodeRequest[] = [
    ...Array.from({ length: controlPlanes }, () => ({ role: 'control-plane' as const })),
    ...Array.from({ length: workers }, () => ({ role: 'worker' as const })),
  ]
  const assertions = body.assertions ?? {}
  const app = body.app ?? {}
  return {
    provider: cluster.provider ?? 'kind',
    cluster: {
      ...optional('name', cluster.name),
      ...optional('kubernetesVersion', cluster.kubernetesVersion),
      ...optional('providerVersion', cluster.providerVersion),
      nodes: cluster.nodes === undefined ? counted : (cluster.nodes as NodeRequest[]),
      nodesDefaulted:
        cluster.nodes === undefined && cluster.controlPlanes === undefined && cluster.workers === undefined,
      ...optional('nodeImage', cluster.nodeImage),
      ...optional('config', cluster.config),
      extraArgs: cluster.extraArgs ?? [],
      registry: cluster.registry?.enabled ?? true,
      ...optional('registryPort', cluster.registry?.port),
      ...optional('registryMirror', cluster.registry?.mirror),
      ...optional('downloadBaseUrl', cluster.downloadBaseUrl),
      imageSource: cluster.imageSource ?? options.defaultImageSource,
      kubectlVersion: cluster.kubectlVersion ?? 'server',
      waitFor: cluster.waitFor ?? ['api', 'nodes', 'system'],
      timeoutMs: parseDuration(cluster.timeout ?? '10m', 'cluster.timeout'),
    },
    components: body.platform?.components ?? ['metrics-server'],
    app: {
      namespace: app.namespace ?? 'voting-app',
      images: app.images ?? 'auto',
      ...optional('values', app.values),
      timeoutMs: parseDuration(app.timeout ?? '5m', 'app.timeout'),
    },
    assertions: {
      suites: assertions.suites ?? suites,
      suitesByName: assertions.suites !== undefined,
      // One is always among them: a check that failed is never tolerated.
      failOn: [...new Set(['fail', ...(assertions.failOn ?? ['inconclusive'])] as const)],
      allowSkip: assertions.allowSkip ?? [],
      timeoutMs: parseDuration(assertions.timeout ?? '5m', 'assertions.timeout'),
    },
  }
}

/** @throws UnsupportedError for a provider that is named in the design and not built yet. */
export function requireKind(settings: Settings): void {
  if (settings.provider === 'kind') return
  throw new UnsupportedError(`provider ${settings.provider} is not supported yet`, {
    code: 'PROVIDER_UNSUPPORTED',
    hint: 'Use provider kind.',
  })
}

function bodyOf(spec: Spec | SpecBody | undefined): SpecBody {
  const { apiVersion: _version, profiles: _profiles, ...body } = (spec ?? {}) as Partial<Spec>
  return body
}

function profileOf(spec: Spec | undefined, profile: string | undefined): SpecBody {
  if (profile === undefined) return {}
  const profiles = spec?.profiles ?? {}
  const found = Object.hasOwn(profiles, profile) ? profiles[profile] : undefined
  if (found !== undefined) return found
  const known = Object.keys(profiles)
  const near = nearestName(profile, known)
  throw new InputError([
    {
      name: 'profile',
      value: profile,
      problem: `is not defined${near === undefined ? '' : `; did you mean ${near}?`}`,
      allowed: known.length === 0 ? 'the spec defines no profiles' : known.join(', '),
    },
  ])
}

function withOverrides(body: SpecBody, overrides: Overrides, givenAs: GivenAs): SpecBody {
  const result = structuredClone(body) as Record<string, unknown>
  for (const [place, value] of Object.entries(overrides)) {
    if (value === undefined) continue
    const path = place.split('.')
    const last = path.pop() ?? place
    let target = result
    for (const part of path) {
      target[part] ??= {}
      target = target[part] as Record<string, unknown>
    }
    target[last] = value
    // The counts and the list say the same thing: whoever gives a count by hand means it instead of the spec's list.
    if (place === 'cluster.workers' || place === 'cluster.controlPlanes') delete target['nodes']
  }
  const checked = specSchema.safeParse({ apiVersion: 'k8s-platform/v1', ...result })
  if (checked.success) return bodyOf(checked.data)
  // Spec and profile were checked before: what is wrong came with an override.
  const given = (path: SpecPath) => givenAs[Object.keys(overrides).find((place) => isWithin(path, place)) ?? '']
  throw new InputError(
    checked.error.issues.flatMap((issue) => {
      const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))
      const example = given(path)?.example
      return problemsOf(issue, result, (at) => given(at)?.name ?? renderPath(at)).map((problem) => ({
        ...problem,
        ...(example === undefined ? {} : { example }),
      }))
    }),
  )
}

function isWithin(path: SpecPath, place: string): boolean {
  return place.split('.').every((part, index) => path[index] === part)
}

/** Maps are merged key by key, everything else (lists too) is replaced: what a profile says is what holds. */
function merge<T>(base: T, overlay: unknown): T {
  if (!isMapping(base) || !isMapping(overlay)) return (overlay ?? base) as T
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(overlay)) result[key] = merge(result[key], value)
  return result as T
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V })
}
