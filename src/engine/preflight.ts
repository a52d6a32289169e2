import { goVersion } from '../process/package-caches.ts'
import type { BuildFacts, BuildProgram } from './build-facts.ts'
import type { EngineFacts } from './facts.ts'

/** What a cluster is going to ask of the host. */
export interface EngineNeeds {
  /** `1.36` or `1.36.4`. */
  readonly kubernetesVersion: string
  /** Control planes and workers. */
  readonly controlPlanes: number
  readonly workers: number
  /** Images that are built here take room that pulled ones do not. */
  readonly imageSource: 'registry' | 'packages'
}

/** One thing about the host that does not fit, with the number found. */
export interface PreflightProblem {
  readonly name:
    | 'docker'
    | 'cgroup'
    | 'inotify-instances'
    | 'inotify-watches'
    | 'disk'
    | 'memory'
    | 'architecture'
    | 'root'
    | 'programs'
  /** An error stops the run: it would fail later and less clearly. A warning is known to work, with less room or with what is in the cache already. */
  readonly severity: 'error' | 'warning'
  readonly found: string
  readonly needed: string
  /** What to do, as a command where there is one. */
  readonly fix: string
}

const mebibyte = 1024 ** 2
const gibibyte = 1024 ** 3

/** Measured with the voting app (docker stats, 1 + 3 nodes): 614 MiB on the control plane, 274 to 338 on a worker. The rest is room for what is deployed. */
const memoryMebibytes = { controlPlane: 900, worker: 300, workloads: 700 }

/** Measured (1 + 3 nodes with the voting app): 26 instances on the control plane, 13 or 14 on a worker. */
const instances = { controlPlane: 26, worker: 14 }

/** What kind recommends for several nodes (its known issue "too many open files"): enough for log followers and editors beside it. */
const recommended = { instances: 512, watches: 524_288 }

/** Measured: 177 to 320 in use on a node. An estimate with room for log followers; what is there is a warning long before. */
const watchesPerNode = 1_024

/** Estimates: node image and app a few GiB; packages also keep compilers' caches. */
const diskGibibytes = { registry: 8, packages: 25 }

/** First minor whose kubelet refuses cgroup v1 unless told otherwise (failCgroupV1, KEP-5573). */
const firstMinorWithoutCgroup1 = 35

/**
 * Compares what was found with what is needed. Pure: the same facts and needs give the same problems.
 * @param build for image-source packages.
 */
export function preflightProblems(facts: EngineFacts, needs: EngineNeeds, build?: BuildFacts): PreflightProblem[] {
  const nodes = needs.controlPlanes + needs.workers
  const instancesInUse = needs.controlPlanes * instances.controlPlane + needs.workers * instances.worker
  return [
    ...engineProblems(facts),
    ...cgroupProblems(facts, needs),
    ...limitProblems('inotify-instances', facts.inotifyInstances, {
      setting: 'fs.inotify.max_user_instances',
      least: instancesInUse,
      recommended: Math.max(recommended.instances, instancesInUse * 2),
    }),
    ...limitProblems('inotify-watches', facts.inotifyWatches, {
      setting: 'fs.inotify.max_user_watches',
      least: nodes * watchesPerNode,
      recommended: Math.max(recommended.watches, nodes * watchesPerNode * 2),
    }),
    ...diskProblems(facts, needs),
    ...memoryProblems(facts, needs),
    ...(build === undefined ? [] : buildProblems(build)),
  ]
}

function engineProblems(facts: EngineFacts): PreflightProblem[] {
  if (facts.version === undefined) {
    const fix = 'start Docker, or give --install-docker'
    return [{ name: 'docker', severity: 'error', found: 'no answer', needed: 'a running Docker engine', fix }]
  }
  const problems: PreflightProblem[] = []
  const major = Number.parseInt(facts.version, 10)
  if (major < 20) {
    const fix = 'upgrade Docker (https://docs.docker.com/engine/install)'
    problems.push({ name: 'docker', severity: 'error', found: facts.version, needed: 'Docker 20.10 or newer', fix })
  }
  const supported = ['x86_64', 'amd64', 'aarch64', 'arm64']
  if (facts.architecture !== undefined && !supported.includes(facts.architecture)) {
    problems.push({
      name: 'architecture',
      severity: 'error',
      found: facts.architecture,
      needed: 'amd64 or arm64',
      fix: 'run on a machine of one of these architectures',
    })
  }
  return problems
}

function cgroupProblems(facts: EngineFacts, needs: EngineNeeds): PreflightProblem[] {
  const minor = Number(/^v?1\.(\d+)/.exec(needs.kubernetesVersion)?.[1])
  if (facts.cgroupVersion !== '1' || !(minor >= firstMinorWithoutCgroup1)) return []
  return [
    {
      name: 'cgroup',
      severity: 'error',
      found: 'cgroup v1',
      needed: `cgroup v2 for Kubernetes ${needs.kubernetesVersion}`,
      fix: 'ask for kubernetes-version 1.34, or boot the host with systemd.unified_cgroup_hierarchy=1',
    },
  ]
}

function limitProblems(
  name: 'inotify-instances' | 'inotify-watches',
  found: number,
  limit: { setting: string; least: number; recommended: number },
): PreflightProblem[] {
  if (found >= limit.recommended) return []
  const severe = found < limit.least
  return [
    {
      name,
      severity: severe ? 'error' : 'warning',
      found: `${limit.setting} = ${found}`,
      needed: severe ? `at least ${limit.least}, better ${limit.recommended}` : `better ${limit.recommended}`,
      fix: `sysctl -w ${limit.setting}=${limit.recommended}`,
    },
  ]
}

function diskProblems(facts: EngineFacts, needs: EngineNeeds): PreflightProblem[] {
  const needed = diskGibibytes[needs.imageSource] * gibibyte
  if (facts.diskFreeBytes === undefined || facts.diskFreeBytes >= needed) return []
  return [
    {
      name: 'disk',
      // A cluster whose images are there already runs in less; evictions begin where less than this is left.
      severity: facts.diskFreeBytes < needed / 4 ? 'error' : 'warning',
      found: `${(facts.diskFreeBytes / gibibyte).toFixed(1)} GiB free in ${facts.dataRoot ?? "Docker's data folder"}`,
      needed: `${diskGibibytes[needs.imageSource]} GiB`,
      fix: 'free room, for example: docker system prune, k8s-platform images prune',
    },
  ]
}

function memoryProblems(facts: EngineFacts, needs: EngineNeeds): PreflightProblem[] {
  const { controlPlane, worker, workloads } = memoryMebibytes
  const needed = needs.controlPlanes * controlPlane + needs.workers * worker + workloads
  const found = Math.floor(facts.memoryAvailableBytes / mebibyte)
  if (found >= needed) return []
  return [
    {
      name: 'memory',
      severity: found < needed / 2 ? 'error' : 'warning',
      found: `${found} MiB available of ${Math.floor(facts.memoryTotalBytes / mebibyte)} MiB`,
      needed: `${needed} MiB for ${needs.controlPlanes} control plane(s) and ${needs.workers} worker(s)`,
      fix: 'close something, give the machine more memory, or ask for fewer workers',
    },
  ]
}

const installFrom: Readonly<Record<BuildProgram, string>> = {
  nft: 'apt-get install nftables',
  go: `Go ${goVersion} or newer from https://go.dev/dl`,
  wget: 'apt-get install wget',
  npm: 'npm, which comes with Node.js',
  pip: 'apt-get install python3-pip',
}

/** Every run needs root and nft. The others only make what is not in the cache yet, and not every run makes everything. */
function buildProblems(facts: BuildFacts): PreflightProblem[] {
  const problems: PreflightProblem[] = []
  if (!facts.root) {
    problems.push({
      name: 'root',
      severity: 'error',
      found: 'not root',
      needed: 'root, to make root file systems and to seal the network of image-source packages',
      fix: 'run it as root: sudo env "PATH=$PATH" and the command; or use image-source registry',
    })
  }
  const missing = (severity: PreflightProblem['severity'], programs: readonly BuildProgram[], needed: string): void => {
    if (programs.length === 0) return
    const found = `no ${programs.join(', no ')}`
    problems.push({
      name: 'programs',
      severity,
      found,
      needed,
      fix: programs.map((name) => installFrom[name]).join('; '),
    })
  }
  missing(
    'error',
    facts.missing.filter((program) => program === 'nft'),
    'nft, to seal the network of image-source packages',
  )
  missing(
    'warning',
    facts.missing.filter((program) => program !== 'nft'),
    'these to build what is not in the cache yet',
  )
  return problems
}
