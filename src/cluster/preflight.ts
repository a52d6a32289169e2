import { buildFacts, buildPrograms } from '../engine/build-facts.ts'
import { type EngineFacts, engineFacts } from '../engine/facts.ts'
import { thisMachine } from '../engine/machine.ts'
import { type PreflightProblem, preflightProblems } from '../engine/preflight.ts'
import { InputError, type Problem } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { parseToolVersion } from '../tools/tool-request.ts'
import { clusterNameProblem } from './cluster-name.ts'
import { configPorts } from './config-ports.ts'
import { isPortFree } from './host-ports.ts'
import { limitsToRaise } from './inotify.ts'
import { parseRegistryMirrors, refuseLoopback } from './mirrors.ts'
import { portHolder } from './port-holder.ts'
import type { ClusterRequest } from './provider.ts'

/**
 * Every problem of request and host, before anything is made, in one InputError, each with what was found and the fix; what is merely tight is a warning. Of a host
 * that has the cluster already only what using it needs is looked at.
 */
export async function preflight(
  host: Host,
  request: ClusterRequest,
  context: { readonly kubernetesVersion: string; readonly hasCluster: boolean },
): Promise<void> {
  const { facts, problems: found } = await hostProblems(host, request, context)
  for (const problem of found) if (problem.severity === 'warning') host.log.warning(describe(problem))
  const problems = [
    ...requestProblems(request),
    ...found.filter((problem) => problem.severity === 'error').map(hostProblem),
    ...(context.hasCluster ? [] : await portProblems(host, request)),
  ]
  if (problems.length > 0) {
    const withoutDocker = found.some((problem) => problem.name === 'docker')
    throw new InputError(problems, {
      code: 'PREFLIGHT_FAILED',
      ...(withoutDocker
        ? { hint: 'On a runner without Docker use a cluster that exists: give its `kubeconfig` to the other actions.' }
        : {}),
    })
  }
  host.log.info(
    `Kubernetes ${context.kubernetesVersion}, Docker ${facts.version}, cgroup v${facts.cgroupVersion ?? '?'}`,
  )
}

/**
 * What is wrong with the host for this request, with the facts it was judged by. Where we may raise a limit ourselves, its being low is no problem; of a host that has
 * the cluster already only what using it needs is looked at.
 */
export async function hostProblems(
  host: Host,
  request: ClusterRequest,
  context: { readonly kubernetesVersion: string; readonly hasCluster: boolean },
): Promise<{ readonly facts: EngineFacts; readonly problems: readonly PreflightProblem[] }> {
  const [facts, build, raisable] = await Promise.all([
    engineFacts(host),
    // Programs are what building needs, and asking for pip takes longer than all the rest.
    request.imageSource === 'packages'
      ? buildFacts(host, thisMachine, context.hasCluster ? [] : buildPrograms)
      : undefined,
    limitsToRaise(),
  ])
  const needs = {
    kubernetesVersion: context.kubernetesVersion,
    imageSource: request.imageSource,
    controlPlanes: request.nodes.filter((node) => node.role === 'control-plane').length,
    workers: request.nodes.filter((node) => node.role === 'worker').length,
  }
  const problems = preflightProblems(facts, needs, build)
    .filter((problem) => !context.hasCluster || neededForUse.has(problem.name))
    .filter((problem) => raisable[inotifySettings[problem.name] ?? ''] === undefined)
  return { facts, problems }
}

const neededForUse: ReadonlySet<PreflightProblem['name']> = new Set(['docker', 'root'])

/** Name of the problem -> setting of {@link limitsToRaise}. */
const inotifySettings: Readonly<Record<string, string>> = {
  'inotify-instances': 'max_user_instances',
  'inotify-watches': 'max_user_watches',
}

/** Flags of `kind create cluster` that we give; pflag also takes `-ndemo` for `--name demo`. */
const ourFlags = /^(--(name|kubeconfig|config|image|retain|wait)(=|$)|-n)/

const inputOfFlag: Readonly<Record<string, string>> = {
  '--name': 'the input cluster-name',
  '-n': 'the input cluster-name',
  '--config': 'the input config',
  '--image': 'the input node-image',
  '--wait': 'the inputs wait-for and timeout',
}

/** What is wrong with the request by itself. */
export function requestProblems(request: ClusterRequest): Problem[] {
  const problems: Problem[] = []
  const name = clusterNameProblem(request.name)
  if (name !== undefined) problems.push(name)
  const controlPlanes = request.nodes.filter((node) => node.role === 'control-plane').length
  if (controlPlanes === 0 && request.nodesDefaulted !== true) {
    problems.push({ name: 'control-planes', value: '0', problem: 'is too few', allowed: '1 or more', example: '1' })
  }
  if (!request.registry && request.registryPort !== undefined) {
    problems.push({
      name: 'registry-port',
      value: String(request.registryPort),
      problem: 'makes no sense with registry: false',
      allowed: 'registry: true, or no registry-port',
    })
  }
  for (const argument of request.extraArgs) {
    const flag = ourFlags.exec(argument)?.[0].replace(/=$/, '')
    if (flag === undefined) continue
    problems.push({
      name: 'extra-args',
      value: argument,
      problem: `${flag} is given to kind already, and a second one would win`,
      allowed: inputOfFlag[flag] ?? 'other flags of `kind create cluster`',
      example: '--verbosity=3',
    })
  }
  problems.push(
    ...collect(() => refuseLoopback(parseRegistryMirrors(request.registryMirror))),
    ...collect(() => parseToolVersion('provider-version', 'kind', request.providerVersion)),
    ...collect(() => {
      if (request.kubectlVersion !== 'server' && request.kubectlVersion !== 'none') {
        parseToolVersion('kubectl-version', 'kubectl', request.kubectlVersion)
      }
    }),
  )
  return request.imageSource === 'packages' ? [...problems, ...packagesProblems(request, controlPlanes)] : problems
}

/** Everything is compiled at the versions of images/, and nothing is pulled or downloaded: whoever asks for that shall not be ignored. */
function packagesProblems(request: ClusterRequest, controlPlanes: number): Problem[] {
  const problems: Problem[] = []
  if (controlPlanes > 1) {
    problems.push({
      name: 'control-planes',
      value: String(controlPlanes),
      problem: "needs the image of kind's load balancer, which cannot be built from package registries",
      allowed: '1 with image-source packages',
    })
  }
  const refuse = (name: string, value: string | undefined, problem: string, allowed: string): void => {
    if (value !== undefined) problems.push({ name, value, problem, allowed })
  }
  const { kubectlVersion } = request
  const exactKubectl = kubectlVersion === 'server' || kubectlVersion === 'none' ? undefined : kubectlVersion
  const compiled = 'has no effect with image-source packages, which compiles its programs at the versions in images/'
  const pulled = 'makes no sense with image-source packages, which pulls nothing'
  refuse('node-image', request.nodeImage, pulled, 'kubernetes-version, or image-source registry')
  refuse('provider-version', request.providerVersion, compiled, 'no provider-version, or image-source registry')
  refuse('kubectl-version', exactKubectl, compiled, 'server, none, or image-source registry')
  refuse('registry-mirror', request.registryMirror, pulled, 'no registry-mirror, or image-source registry')
  refuse('download-base-url', request.downloadBaseUrl, compiled, 'no download-base-url, or image-source registry')
  return problems
}

/** Ports that were asked for by number and are taken, with who has them: no other port would do, so waiting or trying again would not help. */
async function portProblems(host: Host, request: ClusterRequest): Promise<Problem[]> {
  const wanted = [
    ...(request.registryPort === undefined
      ? []
      : [
          {
            name: 'registry-port',
            port: request.registryPort,
            address: '127.0.0.1',
            allowed: 'a free port, or none to have one chosen',
          },
        ]),
    ...(await configPorts(request.config)),
  ]
  const problems = await Promise.all(
    wanted.map(async ({ name, port, address, allowed }) => {
      if (await isPortFree(port, address)) return []
      const holder = await portHolder(host, port)
      return [
        {
          name,
          value: String(port),
          problem: `is taken on ${address}${holder === undefined ? '' : ` by ${holder}`}`,
          allowed: `${allowed}; or end what listens there`,
        },
      ]
    }),
  )
  return problems.flat()
}

function hostProblem(problem: PreflightProblem): Problem {
  return {
    name: problem.name,
    value: problem.found,
    problem: `does not do: needs ${problem.needed}`,
    allowed: problem.fix,
  }
}

function describe(problem: PreflightProblem): string {
  return `${problem.name}: ${problem.found}; ${problem.needed}. To change it: ${problem.fix}`
}

function collect(parse: () => unknown): readonly Problem[] {
  try {
    parse()
    return []
  } catch (error) {
    if (error instanceof InputError) return error.problems
    throw error
  }
}
