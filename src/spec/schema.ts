import { z } from 'zod'
import { providers } from '../cluster/provider.ts'

/**
 * platform.yaml, the one definition: validation, types and the editors' JSON schema come from here. A key is listed only when something reads it; an
 * unknown key is an error with the nearest known name. Every value is optional: defaults are applied after spec, profile and inputs are merged.
 */
const duration = z
  .string()
  .regex(/^(\d+(\.\d+)?(ms|s|m|h))+$/, 'is not a duration; allowed: a number with a unit, such as 90s, 10m or 1h30m')
  .describe('How long, such as `90s` or `10m`.')

const count = (max: number) => z.number().int().min(0).max(max)

const name = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'is not a DNS label; allowed: lower-case letters, digits and hyphens')
  .max(63)

/** Of one line: these become arguments, environment and lines of files. */
const line = z.string().regex(/^[^\p{Cc}]+$/u, 'is empty or holds a line break or another control character')

const imageReference = z.string().regex(/^[a-zA-Z0-9][\w.:/@-]*$/, 'is not an image reference')

const labelKey = z
  .string()
  .regex(
    /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/,
    'is not the key of a label; allowed: [<prefix>/]<name> of letters, digits and inner ._-',
  )

// kind joins labels by commas for the kubelet: one with a comma would be several.
const labelValue = z
  .string()
  .regex(
    /^([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$/,
    'is not the value of a label; allowed: letters, digits and inner ._-, at most 63',
  )

export const kubernetesVersion = z
  .string()
  .regex(
    /^v?\d+\.\d+(\.(\d+|x))?$/,
    'is not a Kubernetes version; allowed: a minor such as "1.36", "1.36.x", or an exact one such as "1.36.4" (quote it)',
  )

const node = z.strictObject({
  role: z.enum(['control-plane', 'worker']).describe('What the node does.'),
  labels: z.record(labelKey, labelValue).optional().describe('Node labels.'),
  taints: z
    .array(
      z
        .string()
        .regex(
          /^[A-Za-z0-9][\w./-]*(=[\w.-]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$/,
          'is not a taint; allowed: key=value:NoSchedule',
        ),
    )
    .optional()
    .describe('Taints, as kubectl writes them.'),
  zone: labelValue.min(1).optional().describe('Value of topology.kubernetes.io/zone.'),
})

const cluster = z.strictObject({
  provider: z.enum(providers).optional().describe('Who makes the cluster.'),
  name: name.max(40).optional().describe('Name of the cluster.'),
  kubernetesVersion: kubernetesVersion.optional().describe('Kubernetes version: minor or exact.'),
  providerVersion: line.optional().describe("Exact version of the provider's tool, or `preinstalled`."),
  controlPlanes: count(9).min(1).optional().describe('Number of control-plane nodes.'),
  workers: count(50).optional().describe('Number of worker nodes.'),
  nodes: z.array(node).min(1).optional().describe('The nodes one by one, instead of the two counts.'),
  nodeImage: imageReference.optional().describe('Node image to use as it is.'),
  config: line.optional().describe("Path of the provider's own config file, merged with the rest."),
  extraArgs: z.array(line).optional().describe("Further arguments for the provider's create command, one each."),
  imageSource: z.enum(['registry', 'packages', 'auto']).optional().describe('Where container images come from.'),
  registry: z
    .strictObject({
      enabled: z.boolean().optional().describe('Run a local registry beside the cluster.'),
      port: count(65535).optional().describe('Its port on 127.0.0.1; a free one by default.'),
      mirror: line.optional().describe('URL of a pull-through mirror for host and nodes.'),
    })
    .optional(),
  downloadBaseUrl: z
    .string()
    .regex(/^https?:\/\/[^\s@]+$/, 'is not an http or https URL without user and password')
    .optional()
    .describe('Where pinned programs are downloaded from instead of their own sites.'),
  kubectlVersion: line.optional().describe('kubectl to provide: `server`, an exact version, or `none`.'),
  waitFor: z
    .array(z.enum(['api', 'nodes', 'system']))
    .optional()
    .describe('What must be ready.'),
  timeout: duration.optional(),
})

const app = z.strictObject({
  namespace: name.optional().describe('Namespace to deploy to.'),
  images: z.enum(['auto', 'published', 'build']).optional().describe('Published images, or built from source.'),
  values: line.optional().describe('Path of a Helm values file.'),
  timeout: duration.optional(),
})

export const suites = ['readiness', 'dns', 'service-routing', 'vote-flow'] as const
export const verdicts = ['fail', 'inconclusive', 'skipped'] as const
/** What no list of them changes. */
export const failOnText =
  'a check that failed always does, named or not, as do a lost stream, a time-out and a run in which nothing passed.'

const assertions = z.strictObject({
  suites: z.array(z.enum(suites)).min(1).optional().describe('Suites to run.'),
  failOn: z.array(z.enum(verdicts)).min(1).optional().describe(`Verdicts that fail the run; ${failOnText}`),
  allowSkip: z.array(z.enum(suites)).optional().describe('Suites that may be skipped.'),
  timeout: duration.optional(),
})

const platform = z.strictObject({
  components: z
    .array(z.enum(['metrics-server']))
    .optional()
    .describe('Components to install.'),
})

const body = {
  cluster: cluster.optional(),
  platform: platform.optional(),
  app: app.optional(),
  assertions: assertions.optional(),
}

export const specSchema = z.strictObject({
  apiVersion: z.literal('k8s-platform/v1').describe('Version of this format.'),
  ...body,
  profiles: z.record(name, z.strictObject(body)).optional().describe('Named overlays, picked by `profile`.'),
})

export type Spec = z.infer<typeof specSchema>
export type SpecBody = Omit<Spec, 'apiVersion' | 'profiles'>
