import type { Flag } from './arguments.ts'
import { clusterName, namePattern, otherCluster, verbose } from './common-flags.ts'

/** What `deploy` takes; the names are those of the action’s inputs. */
export const deployFlags: Readonly<Record<string, Flag>> = {
  ...clusterName,
  ...otherCluster,
  chart: {
    type: 'string',
    value: 'charts/shop',
    description: 'Helm chart: folder, .tgz, or oci://registry/chart.',
  },
  'chart-version': {
    type: 'string',
    value: '1.2.3',
    pattern: { regex: /^\d+\.\d+\.\d+[-+.\w]*$/, allowed: 'an exact version' },
    description: 'Exact version of a chart of a registry.',
  },
  kustomize: { type: 'string', value: 'k8s/overlays/test', description: 'Folder of a kustomization.' },
  manifests: {
    type: 'list',
    separator: 'line',
    value: 'k8s/',
    description: 'Files, folders and globs of manifests.',
  },
  images: {
    type: 'list',
    separator: 'line',
    value: 'nginx=shop/web:ci',
    description: 'Images of the local Docker to run, in place of another where NAME= is given.',
  },
  values: {
    type: 'list',
    separator: 'line',
    value: 'test.yaml',
    description: 'Helm values files; later ones win.',
  },
  set: {
    type: 'list',
    separator: 'line',
    value: 'db.password=fromEnv:DB_PASSWORD',
    description: 'Single Helm values; they win over files. Secrets come from variables.',
  },
  release: {
    type: 'string',
    value: 'shop',
    pattern: namePattern(53),
    description: 'Name of the deployment. Default: of chart, folder or file.',
  },
  namespace: {
    type: 'string',
    value: 'shop',
    pattern: namePattern(63),
    description: 'Namespace of what names none; given, nothing may name another. Default: default.',
  },
  'create-namespace': {
    type: 'boolean',
    default: true,
    description: 'Make namespaces that are missing. Default: true.',
  },
  prune: { type: 'boolean', description: 'Remove what former deployments made and this one has no more.' },
  'force-conflicts': { type: 'boolean', description: 'Take fields that another manager owns.' },
  'image-source': {
    type: 'string',
    of: ['auto', 'registry', 'packages'],
    description: 'Where helm and kubectl come from, for another cluster than ours. Default: auto.',
  },
  'helm-version': {
    type: 'string',
    value: 'preinstalled',
    pattern: {
      regex: /^(preinstalled|v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?)$/,
      allowed: 'an exact version, <version>@sha256:<64 hex digits>, or preinstalled',
    },
    description:
      'Exact version of helm, with the digest of its archive if it is not the pinned one, or preinstalled for what PATH has.',
  },
  'download-base-url': {
    type: 'string',
    value: 'URL',
    example: 'https://mirror.example.com/releases',
    pattern: { regex: /^https?:\/\/[^\s]+$/, allowed: 'an http or https URL' },
    description: "Replaces scheme and host of helm's and kubectl's download; digests are checked all the same.",
  },
  'dry-run': { type: 'boolean', description: 'Tell what would change, and change nothing.' },
  'print-rbac': {
    type: 'boolean',
    description:
      'Print, for kubectl apply, an account with exactly the rights that this deployment needs; ask the cluster about its kinds, and change nothing.',
  },
  timeout: { type: 'string', value: '5m', description: 'Deadline for applying and becoming ready. Default: 5m.' },
  ...verbose,
}
