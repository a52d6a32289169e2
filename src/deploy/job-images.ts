import type { LoadImages } from '../cluster/load-images.ts'
import { InputError, type Problem } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { canonical, repositoryOf } from './replace-images.ts'

/** An image of the job's Docker, to run in the cluster; in place of another where `replaces` names one. */
export interface JobImage {
  readonly image: string
  /** Repository in the manifests, without tag and digest. */
  readonly replaces?: string
}

const reference = /^[a-z0-9]([\w.-]*[a-z0-9])?(:\d+)?(\/[a-z0-9][\w.-]*)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?$/

/** Parses `shop/web:ci` and `nginx=shop/web:ci`. @throws InputError with every problem. */
export function parseJobImages(lines: readonly string[]): JobImage[] {
  const problems: Problem[] = []
  const images = lines.flatMap((line): JobImage[] => {
    const parts = line.split('=').map((part) => part.trim())
    const [image = '', replaces] = parts.length === 1 ? parts : [parts[1], parts[0]]
    const wrong = parts.length > 2 || !reference.test(image) || (replaces !== undefined && !reference.test(replaces))
    if (wrong || (replaces !== undefined && repositoryOf(replaces) !== replaces)) {
      problems.push({
        name: 'images',
        value: line,
        problem: 'is not an image',
        allowed: 'an image of the job, or name=image where name has neither tag nor digest',
        example: 'nginx=shop/web:ci',
      })
      return []
    }
    return [{ image, ...(replaces === undefined ? {} : { replaces }) }]
  })
  if (problems.length > 0) throw new InputError(problems)
  return images
}

/** Loads the job's images into every node; resolves with their digests by full name. A dry run loads nothing. */
export async function loadedDigests(
  host: Host,
  request: {
    readonly kubeconfig: string
    readonly context?: string
    readonly images: readonly JobImage[]
    readonly dryRun: boolean
  },
  loadImages: LoadImages,
): Promise<ReadonlyMap<string, string>> {
  if (request.images.length === 0 || request.dryRun) return new Map()
  const { kubeconfig, context } = request
  const loaded = await host.timings.phase('load images', () =>
    loadImages(host, {
      kubeconfig,
      ...(context === undefined ? {} : { context }),
      images: [...new Set(request.images.map(({ image }) => image))],
      archives: [],
    }),
  )
  return new Map(loaded.map(({ image, digest }) => [canonical(image), digest]))
}
