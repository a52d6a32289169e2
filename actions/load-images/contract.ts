import { clusterInputs } from '../../src/action/common-inputs.ts'
import { defineAction } from '../../src/action/define-action.ts'

export const contract = defineAction({
  name: 'load-images',
  title: 'k8s-platform: load images',
  description:
    "The job's images into every node of the cluster, under the names that manifests use, and looked at there",
  inputs: {
    ...clusterInputs,
    'cluster-name': {
      type: 'string',
      description: 'Name of the kind cluster, where its nodes do not tell. Default: what they say.',
      example: 'demo',
      pattern: {
        regex: /^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$/,
        allowed: 'lower-case letters, digits and inner hyphens, at most 50',
      },
    },
    images: {
      type: 'list',
      separator: 'line',
      description:
        'Images of the local Docker, one per line, as manifests name them: `shop:1` is `docker.io/library/shop:1`. Default: none.',
      example: 'shop:1',
    },
    archives: {
      type: 'list',
      separator: 'line',
      description:
        'Paths of archives of `docker save` or in the OCI layout, one per line, compressed by gzip or zstd or not. Every image in them is loaded. Default: none.',
      example: 'build/shop.tar.gz',
    },
    timeout: {
      type: 'duration',
      default: '10m',
      description: 'Deadline for all of it.',
      example: '5m',
    },
  },
  renamed: {
    image: 'images',
    archive: 'archives',
    'docker-images': 'images',
    'image-archives': 'archives',
    cluster_name: 'cluster-name',
    name: 'cluster-name',
  },
  rules: [
    ({ images, archives }) =>
      (images ?? []).length + (archives ?? []).length > 0
        ? []
        : [
            {
              name: 'images',
              problem: 'is missing, and archives too',
              allowed: 'at least one image or archive',
              example: 'shop:1',
            },
          ],
  ],
  outputs: { loaded: 'JSON array of the images: image, digest, how (registry, archive, present), nodes, ms.' },
  state: {},
  post: false,
  permissions: {},
  requirements: [
    'A kind cluster of this machine, such as one of `setup-cluster`, and the Docker engine that runs it.',
    'For each node, free disk of twice the size of the images.',
  ],
  usage: `- run: docker build --tag shop:1 .
- uses: org/k8s-platform/load-images@v1
  with:
    images: shop:1`,
  branding: { icon: 'upload', color: 'blue' },
})
