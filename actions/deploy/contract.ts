import { clusterInputs, commandLineText, helmInputs } from '../../src/action/common-inputs.ts'
import { defineAction } from '../../src/action/define-action.ts'
import { deployProblems } from '../../src/deploy/deploy-source.ts'
import { namespacePattern, releasePattern } from '../../src/kubernetes/names.ts'

export const contract = defineAction({
  name: 'deploy',
  title: 'k8s-platform: deploy',
  description: "Any app: a chart, a kustomization or manifests with the job's images, until exactly that is ready",
  inputs: {
    ...clusterInputs,
    chart: {
      type: 'string',
      description:
        'Helm chart: a folder or `.tgz` of the workspace, or `oci://registry/chart` with `chart-version`. One of `chart`, `kustomize` and `manifests` is given.',
      example: 'charts/shop',
    },
    'chart-version': {
      type: 'string',
      description: 'Exact version of a chart of a registry.',
      example: '1.2.3',
      pattern: { regex: /^\d+\.\d+\.\d+[-+.\w]*$/, allowed: 'an exact version' },
    },
    kustomize: {
      type: 'path',
      description: 'Folder of a kustomization.',
      example: 'k8s/overlays/test',
    },
    manifests: {
      type: 'list',
      separator: 'line',
      description: 'Files, folders and globs of manifests, one per line.',
      example: 'k8s/*.yaml',
    },
    images: {
      type: 'list',
      separator: 'line',
      description:
        "Images of the job's Docker to have on every node, one per line. `name=image` also runs it wherever a manifest names that repository.",
      example: 'nginx=shop/web:ci',
    },
    values: {
      type: 'list',
      separator: 'line',
      description: 'Helm values files, one per line; later ones win.',
      example: 'values/test.yaml',
    },
    set: {
      type: 'list',
      separator: 'line',
      description:
        'Single Helm values, one per line; they win over files. A secret is given as `key=fromEnv:NAME` with the variable in `env` of the step.',
      example: 'db.password=fromEnv:DB_PASSWORD',
    },
    release: {
      type: 'string',
      description:
        'Name that tells this deployment from others in its namespace. Default: name of the chart, folder or file.',
      example: 'shop',
      pattern: releasePattern,
    },
    namespace: {
      type: 'string',
      description:
        'Namespace of what names none. Given, nothing may name another. Default: `default`, and manifests may name any.',
      example: 'shop',
      pattern: namespacePattern,
    },
    'create-namespace': {
      type: 'boolean',
      default: 'true',
      description: 'Make namespaces that are missing.',
      example: 'false',
    },
    prune: {
      type: 'boolean',
      default: 'false',
      description:
        'Remove what former deployments of the release made and the manifests have no more; never namespaces, claims, volumes and definitions. Helm always removes what a chart has no more.',
      example: 'true',
    },
    'force-conflicts': {
      type: 'boolean',
      default: 'false',
      description: 'Take fields that another manager owns, such as an operator or `kubectl edit`.',
      example: 'true',
    },
    'dry-run': {
      type: 'boolean',
      default: 'false',
      description: 'Let the server judge everything, tell what would change, and change nothing.',
      example: 'true',
    },
    ...helmInputs,
    timeout: {
      type: 'duration',
      default: '5m',
      description: 'Deadline for applying and becoming ready. Images and programs have their own before it.',
      example: '8m',
    },
  },
  rules: [deployProblems],
  renamed: {
    'manifest-files': 'manifests',
    'kustomization-path': 'kustomize',
    'helm-chart': 'chart',
    'chart-path': 'chart',
    'value-files': 'values',
    overrides: 'set',
    'release-name': 'release',
    force: 'force-conflicts',
  },
  outputs: {
    urls: 'JSON list of `{object, port, url}`: NodePorts and load balancers as the runner reaches them, Ingress hosts.',
    revision: "Revision of the release: Helm's, or the number of deployments that changed something.",
    changed: '`false` when everything was found as it should be.',
    objects: 'JSON list of `{apiVersion, kind, namespace, name, generation, change}`.',
    namespace: 'Namespace of the release.',
    release: 'Name of the release.',
  },
  state: {},
  post: false,
  permissions: {},
  requirements: [
    'A cluster, such as one of `setup-cluster`, and a kubeconfig that may read and write what is deployed.',
    'With `images`, a Docker engine that the job can reach, and a kind cluster.',
  ],
  sections: [
    {
      title: 'Rights in the cluster',
      text: [
        'They follow from what is deployed. An account with these rights and no more is printed for `kubectl apply` by',
        '',
        '```sh',
        'k8s-platform deploy --print-rbac --kustomize k8s/overlays/test --namespace shop | kubectl apply -f -',
        '```',
        '',
        `${commandLineText} Each right with its reason, and how to use the account: [docs/deploy.md](../docs/deploy.md#rights).`,
      ].join('\n'),
    },
  ],
  usage: `- uses: org/k8s-platform/deploy@v1
  id: shop
  with:
    manifests: k8s/
    images: |
      shop/web=shop/web:ci
    namespace: shop
- env:
    URLS: \${{ steps.shop.outputs.urls }}
  run: echo "$URLS"`,
  branding: { icon: 'upload-cloud', color: 'blue' },
})
