import { describeRef, refOf } from '../kubernetes/objects.ts'
import { escapeMarkdown } from '../report/plain-text.ts'
import type { Change } from './check-objects.ts'
import type { Deployment } from './deploy.ts'

/** One object of the action's output `objects`. */
export interface ObjectSummary {
  readonly apiVersion: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
  readonly generation?: number
  readonly change: Change | 'pruned'
}

export function summarizeObjects({ objects, pruned }: Deployment): ObjectSummary[] {
  return [
    ...objects.map(({ object, change }) => {
      const { generation } = object.metadata
      return { ...refOf(object), ...(generation === undefined ? {} : { generation }), change }
    }),
    ...pruned.map((ref) => ({ ...ref, change: 'pruned' as const })),
  ]
}

const words: Readonly<Record<ObjectSummary['change'], readonly [done: string, planned: string]>> = {
  create: ['created', 'would be created'],
  change: ['changed', 'would be changed'],
  unchanged: ['unchanged', 'unchanged'],
  pruned: ['pruned', 'would be pruned'],
}

function wordFor(change: ObjectSummary['change'], deployment: Deployment): string {
  return words[change][deployment.dryRun ? 1 : 0]
}

/** `release shop, revision 3: 2 changed, 5 unchanged` */
export function headline(deployment: Deployment): string {
  const counts = new Map<string, number>()
  for (const { change } of summarizeObjects(deployment)) {
    const word = wordFor(change, deployment)
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const parts = [...counts].map(([word, count]) => `${count} ${word}`).join(', ')
  const as = deployment.changed ? '' : ': nothing to do'
  return `release ${deployment.release} in ${deployment.namespace}, revision ${deployment.revision}${as}: ${parts}`
}

/** Section of the job summary: what was applied, and where to reach it. */
export function renderDeployment(deployment: Deployment): string {
  const rows = summarizeObjects(deployment).map((entry) => {
    const cells = [describeRef(entry), wordFor(entry.change, deployment), String(entry.generation ?? '')]
    return `| ${cells.map(escapeMarkdown).join(' | ')} |`
  })
  const urls = deployment.urls.map(
    ({ object, port, url }) => `| ${[object, port, url].map(escapeMarkdown).join(' | ')} |`,
  )
  const left = deployment.left.map((ref) => `- ${escapeMarkdown(describeRef(ref))}`)
  return [
    escapeMarkdown(headline(deployment)),
    '',
    '| Object | What happened | Generation |',
    '|---|---|---|',
    ...rows,
    '',
    ...(urls.length === 0 ? [] : ['| Object | Port | URL |', '|---|---|---|', ...urls, '']),
    ...(left.length === 0
      ? []
      : ['In the manifests no more, and still there (`prune` removes them):', '', ...left, '']),
  ].join('\n')
}

/** The same for a terminal. */
export function renderDeploymentText(deployment: Deployment): string {
  const entries = summarizeObjects(deployment).map(
    (entry) => [wordFor(entry.change, deployment), describeRef(entry)] as const,
  )
  const width = Math.max(0, ...entries.map(([word]) => word.length)) + 2
  return [
    ...entries.map(([word, name]) => `${word.padEnd(width)}${name}`),
    ...deployment.left.map(
      (ref) => `${'left'.padEnd(width)}${describeRef(ref)} (in the manifests no more; --prune removes it)`,
    ),
    headline(deployment),
    ...deployment.urls.map(({ object, port, url }) => `${url}  ${object} ${port}`),
  ].join('\n')
}
