import { readState } from '../cluster/state.ts'
import { chooseImageSource } from '../pipeline/choose-image-source.ts'
import { formatSeconds } from '../process/wait.ts'
import { exitCodes } from './exit-codes.ts'
import { defaultClusterName, type RunCommand, settingsOf } from './run-command.ts'

/** What `up` would do with this spec and these flags, on this host, now. Changes nothing. */
export const plan: RunCommand = async (host, command, parsed, print) => {
  const { settings } = await settingsOf(host, command, parsed)
  const imageSource = await chooseImageSource(host, settings.cluster.imageSource)
  const name = settings.cluster.name ?? defaultClusterName
  const present = await readState(host, name)
  const nodes = settings.cluster.nodes.map((node) => `${node.role}${node.zone === undefined ? '' : ` in ${node.zone}`}`)
  const counts = [...new Set(nodes)].map((kind) => `${nodes.filter((node) => node === kind).length} ${kind}`)
  const lines = [
    present === undefined
      ? `create  cluster ${name}: ${settings.provider}, ${counts.join(', ')}`
      : `keep    cluster ${name} (${present.phase}, Kubernetes ${present.kubernetesVersion ?? 'unknown'}), if it was made from the same request`,
    `        Kubernetes ${settings.cluster.kubernetesVersion ?? 'default of the image source'}, images from ${imageSource}, ready within ${formatSeconds(settings.cluster.timeoutMs)}`,
    ...(settings.cluster.registry || imageSource === 'packages'
      ? [`${present === undefined ? 'create' : 'keep  '}  local registry ${name}-registry`]
      : []),
    ...settings.components.map((component) => `apply   component ${component}`),
    `apply   voting app in namespace ${settings.app.namespace}, images: ${settings.app.images}`,
    `prove   ${settings.assertions.suites.join(', ')}; red on ${settings.assertions.failOn.join(', ')}`,
  ]
  for (const line of lines) print(line)
  return exitCodes.ok
}
