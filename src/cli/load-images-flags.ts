import type { Flag } from './arguments.ts'
import { clusterName, context, verbose } from './common-flags.ts'

/** What `load-images` takes. */
export const loadImagesFlags: Readonly<Record<string, Flag>> = {
  ...clusterName,
  kubeconfig: {
    type: 'string',
    value: 'FILE',
    example: 'kubeconfig.yaml',
    description: 'Another kind cluster of this machine than ours.',
  },
  context,
  images: {
    type: 'list',
    separator: 'line',
    value: 'shop:1',
    description: 'Images of the local Docker, as manifests name them.',
  },
  archives: {
    type: 'list',
    separator: 'line',
    value: 'shop.tar',
    description: 'Archives of docker save or in the OCI layout.',
  },
  timeout: { type: 'string', value: '10m', description: 'Deadline for all of it. Default: 10m.' },
  ...verbose,
}
