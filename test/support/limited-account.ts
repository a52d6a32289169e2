import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import {
  ownNamespacePermissions,
  type Permission,
  type Place,
  permissions,
  type SuiteName,
} from '../../src/assert/permissions.ts'
import { rbacName } from '../../src/assert/rbac.ts'
import type { DrillCluster } from '../e2e/cluster-fixture.ts'
import type { FaultName } from './fault-table.ts'
import { kubectl } from './plain-app.ts'
import type { FaultRow } from './prove-fault.ts'

/** A kubeconfig of an account in that namespace: the cluster's address, its certificate, and the account's token. */
export async function accountKubeconfig(cluster: DrillCluster, namespace: string, account = rbacName): Promise<string> {
  const token = await kubectl(cluster, ['create', 'token', account, '-n', namespace, '--duration', '1h'])
  const config = parse(readFileSync(cluster.kubeconfig, 'utf8')) as { users: { name: string; user: object }[] }
  config.users = config.users.map(({ name }) => ({ name, user: { token: token.trim() } }))
  const file = path.join(cluster.host.paths.temp, `${namespace}.kubeconfig`)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, stringify(config), { mode: 0o600 })
  return file
}

/** The rights without one verb on one resource, and how that must be told. */
export interface MissingRight {
  readonly title: string
  readonly suite: SuiteName
  readonly left: readonly Permission[]
  readonly verb: string
  readonly resource: string
  readonly place: Place
  /** A check says `may not list pods in …`, and is inconclusive. */
  readonly reason: RegExp
  /** What is told of it where no check is concerned. */
  readonly logged: RegExp
  /** What must be broken for it to be used; without it, a healthy cluster gives reason enough. */
  readonly during?: FaultName
}

/** Verbs that a healthy cluster gives no reason to use. */
const usedDuring: Readonly<Record<string, FaultName>> = {
  // Only a lease that is stale is watched.
  'watch leases.coordination.k8s.io in kube-node-lease': 'node stopped',
}

/** Of one resource not every verb is for every suite: the one that uses this one first. */
const usedBy: Readonly<Record<string, SuiteName>> = { 'get services in probes': 'dns' }

/** For every rule, resource and verb of the table: all the others. */
export function missingRights(): MissingRight[] {
  return permissions.flatMap((permission, at) =>
    permission.resources.flatMap((resource) =>
      permission.verbs.map((verb) => missingRight(permission, at, resource, verb)),
    ),
  )
}

function missingRight(permission: Permission, at: number, resource: string, verb: string): MissingRight {
  const { group, place, resources, suites, verbs } = permission
  const suffix = group === '' ? '' : `.${group}`
  const title = `${verb} ${resource}${suffix} in ${place}`
  const own = [
    { ...permission, resources: resources.filter((other) => other !== resource) },
    { ...permission, resources: [resource], verbs: verbs.filter((other) => other !== verb) },
  ].filter((one) => one.resources.length > 0 && one.verbs.length > 0)
  const during = usedDuring[title]
  const kind = `${resource}${suffix}`.replaceAll('.', '\\.')
  return {
    title,
    suite: usedBy[title] ?? suites[0] ?? 'readiness',
    left: permissions.flatMap((other, i) => (i === at ? own : [other])),
    verb,
    resource,
    place,
    reason: new RegExp(`may not ${verb} ${kind} in `),
    logged: new RegExp(`cannot ${verb} resource "${resource}"`),
    ...(during === undefined ? {} : { during }),
  }
}

/** The row of docs/reliability.md. */
export function limitedRow({ title, suite, during }: MissingRight): FaultRow {
  const others = during === undefined ? 'nothing red' : 'else red only what the fault makes so'
  const expected = `${suite}: told by name, by an inconclusive check or in the log; ${others}`
  const fault = `an account without: ${title}${during === undefined ? '' : `; ${during}`}`
  return { section: 'assertions', fault, expected }
}

/** What an account needs that is given no probe namespace: its rights there are rights everywhere. */
export const ownNamespaceRights: readonly Permission[] = [
  ...permissions.map((one) => (one.place === 'probes' ? { ...one, place: 'cluster' as const } : one)),
  ...ownNamespacePermissions,
]
