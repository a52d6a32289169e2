import { createHash } from 'node:crypto'
import type { RunnerEnvironment } from './environment.ts'

/** GitHub refuses longer ones; the parts below stay far away from it. */
const longestPart = 60

/**
 * `k8s-platform-<job>-<digest>-<attempt>`: the digest is that of the leg of the matrix, the step and the cluster. The same in every run of the workflow, so that a
 * later job can name it, and different for everything that may upload at the same time.
 */
export function artifactName(
  environment: Pick<RunnerEnvironment, 'job' | 'runAttempt' | 'step'>,
  matrix: string,
  cluster: string,
): string {
  const { job, runAttempt, step } = environment
  // A name that we made up holds the run's id.
  const stable = cluster.startsWith('kp-') ? '' : cluster
  const digest = createHash('sha256')
    .update(JSON.stringify([matrix, step ?? '', stable]))
    .digest('hex')
    .slice(0, 8)
  return `k8s-platform-${plain(job ?? 'job')}-${digest}-${plain(runAttempt ?? '1')}`
}

/** Where that name is taken all the same, as by a reusable workflow called twice: the leg of the runner makes it unique. */
export function otherArtifactName(name: string, environment: Pick<RunnerEnvironment, 'leg'>): string {
  return `${name}-${createHash('sha256').update(environment.leg).digest('hex').slice(0, 8)}`
}

/** The service refuses quotes, colons, slashes and their like. */
function plain(text: string): string {
  return text.replace(/[^\w.-]+/g, '-').slice(0, longestPart) || 'x'
}
