import { resolveKubernetesVersion } from '../cluster/kubernetes-version.ts'
import { ensureEngine } from '../engine/ensure.ts'
import { buildImages } from '../images/build-images.ts'
import { supportedKubernetesVersions } from '../images/kubernetes-versions.ts'
import { listImages, renderImages } from '../images/list-images.ts'
import { pruneImages } from '../images/prune-images.ts'
import { exitCodes } from './exit-codes.ts'
import { type RunCommand, text } from './run-command.ts'

/** `build` makes sure they are all there, `list` shows what there is and how long it took, `prune` removes what no recipe asks for any more. */
export const images: RunCommand = async (host, _command, parsed, print) => {
  const asked = text(parsed, 'kubernetes-version')
  const { version } = resolveKubernetesVersion(asked, 'packages', await supportedKubernetesVersions(host))
  await ensureEngine(host, { install: parsed.flags['install-docker'] === true })
  if (parsed.word === 'build') {
    const built = await buildImages(host, { kubernetesVersion: version })
    print(`${built.length} images for Kubernetes ${version} are there`)
    return exitCodes.ok
  }
  if (parsed.word === 'prune') {
    const pruned = await pruneImages(host, { keepKubernetesVersion: version })
    const removed = [...pruned.images, ...pruned.paths]
    print(removed.length === 0 ? 'nothing to prune' : removed.map((name) => `removed ${name}`).join('\n'))
    return exitCodes.ok
  }
  for (const line of renderImages(await listImages(host, version))) print(line)
  return exitCodes.ok
}
