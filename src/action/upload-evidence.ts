import { deadlineSignal } from '../process/deadline.ts'
import { messageOf } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { formatSeconds } from '../process/wait.ts'
import { otherArtifactName } from './artifact-name.ts'
import type { RunnerEnvironment } from './environment.ts'

/** The whole upload; a post step that hangs holds up the runner. */
const mostMs = 60_000

/** GitHub Enterprise Server has another service, which this protocol does not reach. */
const enterpriseServer = 'GitHub Enterprise Server has no artifact service of this version'

export interface EvidenceRequest {
  /** What the input says: `on-failure`, `always` or `never`. */
  readonly artifact: string
  readonly jobSucceeded: boolean
  readonly name: string
  readonly folder: string
}

export function wantsArtifact(artifact: string, jobSucceeded: boolean): boolean {
  return artifact === 'always' || (artifact === 'on-failure' && !jobSucceeded)
}

/**
 * Uploads a folder of evidence as an artifact of the run, out of a post step: a step of the workflow's own would come too early. Never rejects and never fails the job:
 * what goes wrong is one warning, a runner without such a service one notice.
 */
export async function uploadEvidence(
  host: Host,
  environment: RunnerEnvironment,
  request: EvidenceRequest,
  timeoutMs = mostMs,
): Promise<void> {
  if (!wantsArtifact(request.artifact, request.jobSucceeded) || host.signal.aborted) return
  const { artifactService: service } = environment
  if (service === undefined || service.unsupported) {
    const why = service === undefined ? 'this runner has no artifact service' : enterpriseServer
    host.log.notice(`no artifact was uploaded: ${why}; the evidence is under ${request.folder}`)
    return
  }
  host.log.mask(service.token)
  const deadline = deadlineSignal(timeoutMs)
  const signal = AbortSignal.any([host.signal, deadline])
  try {
    // Loaded only now: most jobs are green.
    const [{ packFolder }, { ArtifactExistsError, uploadArtifact }] = await Promise.all([
      import('../artifact/pack-folder.ts'),
      import('../artifact/artifact-service.ts'),
    ])
    const packed = await packFolder(request.folder)
    if (packed === undefined) {
      host.log.info(`no artifact was uploaded: nothing was collected under ${request.folder}`)
      return
    }
    const upload = async (name: string): Promise<void> => {
      const { id, bytes } = await uploadArtifact(service, name, packed.archive, signal, (secret) =>
        host.log.mask(secret),
      )
      host.log.info(`artifact ${name}: ${packed.files} files, ${Math.ceil(bytes / 1024)} KiB, id ${id}`)
      for (const line of packed.leftOut) host.log.info(`- ${line}`)
    }
    await upload(request.name).catch((error: unknown) => {
      if (!(error instanceof ArtifactExistsError)) throw error
      return upload(otherArtifactName(request.name, environment))
    })
  } catch (error) {
    const why = deadline.aborted ? `not done within ${formatSeconds(timeoutMs)}` : messageOf(error)
    host.log.warning(`the evidence was not uploaded as an artifact: ${why}. It is under ${request.folder}`)
  }
}
