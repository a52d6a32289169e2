import type { Command } from './arguments.ts'
import { assertFlags } from './assert-flags.ts'
import { assertions, cluster, clusterName, installDocker, spec, through, verbose } from './common-flags.ts'
import { deployFlags } from './deploy-flags.ts'
import { loadImagesFlags } from './load-images-flags.ts'

/** The command line, the one definition: parsing, help and docs/cli.md come from here. */
export const commands = [
  {
    name: 'up',
    summary: 'from nothing to a proven platform: cluster, components, app, assertions',
    flags: {
      ...spec,
      ...clusterName,
      ...cluster,
      ...assertions,
      through,
      'install-docker': installDocker,
      ...verbose,
    },
  },
  {
    name: 'down',
    summary: 'remove what up made; keeps the image cache and the engine, and names them',
    flags: {
      ...clusterName,
      all: {
        type: 'boolean',
        description: 'Every cluster of ours, the image cache, and a Docker engine that we installed.',
      },
      ...verbose,
    },
  },
  {
    name: 'status',
    summary: 'clusters of ours on this host, their nodes and URLs',
    flags: { ...clusterName, ...verbose },
  },
  {
    name: 'plan',
    summary: 'what up would do here, without doing it',
    flags: { ...spec, ...clusterName, ...cluster, ...assertions, through, ...verbose },
  },
  {
    name: 'assert',
    summary: 'run the assertion suites against a cluster, ours or any',
    flags: assertFlags,
  },
  {
    name: 'load-images',
    summary: 'put images of the local Docker, or archives, into every node',
    flags: loadImagesFlags,
  },
  {
    name: 'deploy',
    summary: 'deploy any app: a chart, a kustomization or manifests, until exactly that is ready',
    flags: deployFlags,
  },
  {
    name: 'doctor',
    summary: 'can this host run it? Each finding with the number found and the fix',
    flags: { ...spec, ...cluster, ...verbose },
  },
  {
    name: 'images',
    summary: 'images built from package registries',
    words: { name: 'action', of: ['build', 'list', 'prune'], required: true },
    flags: {
      'kubernetes-version': { type: 'string', value: '1.34', description: 'Kubernetes version to build for.' },
      'install-docker': installDocker,
      ...verbose,
    },
  },
] as const satisfies readonly Command[]

export type CommandName = (typeof commands)[number]['name']

export function renderUsage(): string {
  const width = Math.max(...commands.map((command) => command.name.length)) + 2
  return [
    'k8s-platform: from nothing to a proven Kubernetes platform',
    '',
    ...commands.map((command) => `  ${command.name.padEnd(width)}${command.summary}`),
    '',
    'k8s-platform COMMAND --help lists the flags. Exit codes: docs/cli.md.',
  ].join('\n')
}
