import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Exposure, UrlOf } from '../deploy/node-port-urls.ts'
import { InputError, messageOf } from '../process/errors.ts'
import { parseYaml } from '../process/yaml-document.ts'
import type { ImageReference, PerService } from './services.ts'

/** A user's values file: its text for Helm's judgement, its content for ours. */
export interface UserValues {
  readonly file: string
  readonly text: string
  readonly content: Record<string, unknown>
}

/** @throws InputError when the file cannot be read or is not a YAML mapping. */
export async function readUserValues(file: string): Promise<UserValues> {
  const problem = (text: string, cause?: unknown): InputError =>
    new InputError(
      [
        {
          name: 'values',
          value: file,
          problem: text,
          allowed: 'a YAML file of Helm values',
          example: 'vote: {replicas: 3}',
        },
      ],
      {
        cause,
      },
    )
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw problem(`cannot be read: ${messageOf(error)}`, error)
  }
  let content: unknown
  try {
    content = parseYaml(text) ?? {}
  } catch (error) {
    throw problem(`is not YAML: ${messageOf(error).split('\n')[0]}`, error)
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) throw problem('is not a mapping')
  return { file, text, content: content as Record<string, unknown> }
}

/** What the deployment itself knows: the images, and the addresses by which the two pages link to each other. A user's values come after and win. */
export function deploymentValues(images: PerService<ImageReference>, urls: { vote?: string; result?: string }): object {
  const image = (reference: ImageReference): object => ({
    repository: reference.repository,
    tag: reference.tag ?? '',
    digest: reference.digest ?? '',
  })
  return {
    vote: { image: image(images.vote), resultUrl: urls.result ?? '' },
    worker: { image: image(images.worker) },
    result: { image: image(images.result), voteUrl: urls.vote ?? '' },
  }
}

/** Where the pages will be, as far as the values fix it; a port that the cluster is to choose is not known before. */
export async function plannedUrls(
  chart: string,
  user: UserValues | undefined,
  urlOf: UrlOf,
): Promise<{ vote?: string; result?: string }> {
  const defaults = parseYaml(await readFile(path.join(chart, 'values.yaml'), 'utf8')) as Record<string, unknown>
  const url = (service: 'vote' | 'result'): string | undefined => {
    const exposure = { ...exposureIn(defaults, service), ...exposureIn(user?.content ?? {}, service) }
    return urlOf({ type: 'ClusterIP', ...exposure })
  }
  const [vote, result] = [url('vote'), url('result')]
  return { ...(vote === undefined ? {} : { vote }), ...(result === undefined ? {} : { result }) }
}

function exposureIn(values: Record<string, unknown>, service: string): Partial<Exposure> {
  const found = (values[service] as { service?: Partial<Exposure> } | null | undefined)?.service
  return typeof found === 'object' && found !== null ? found : {}
}
