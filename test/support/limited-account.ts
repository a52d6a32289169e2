import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parse, stringify } from 'yaml'
import { type Permission, permissions } from '../../src/assert/permissions.ts'
import { rbacName } from '../../src/assert/rbac.ts'
import type { DrillCluster } from '../e2e/cluster-fixture.ts'
import { kubectl } from './plain-app.ts'

/** A kubeconfig of the account in the probe namespace: the cluster's address, its certificate, and the account's token. */
export async function accountKubeconfig(cluster: DrillCluster, probeNamespace: string): Promise<string> {
  const token = await kubectl(cluster, ['create', 'token', rbacName, '-n', probeNamespace, '--duration', '1h'])
  const config = parse(readFileSync(cluster.kubeconfig, 'utf8')) as { users: { name: string; user: object }[] }
  config.users = config.users.map(({ name }) => ({ name, user: { token: token.trim() } }))
  const file = path.join(cluster.host.paths.temp, `${probeNamespace}.kubeconfig`)
  mkdirSync(path.dirname(file), { recursive: true })
  writeFileSync(file, stringify(config), { mode: 0o600 })
  return file
}

/** The rights without one rule, and what a check must then say: the missing verb and resource, by name. */
export interface MissingRight {
  readonly title: string
  readonly suite: Permission['suites'][number]
  readonly left: readonly Permission[]
  readonly reason: RegExp
}

/** For every rule and resource of the table: all the others. */
export function missingRights(): MissingRight[] {
  return permissions.flatMap((permission, at) =>
    permission.resources.map((resource) => {
      const rest = permission.resources.filter((other) => other !== resource)
      const kind = permission.group === '' ? resource : `${resource}\\.${permission.group.replaceAll('.', '\\.')}`
      return {
        title: `${permission.verbs.join(', ')} ${resource} in ${permission.place}`,
        suite: permission.suites[0] ?? 'readiness',
        left: permissions.flatMap((other, i) =>
          i !== at ? [other] : rest.length === 0 ? [] : [{ ...other, resources: rest }],
        ),
        reason: new RegExp(`may not (${permission.verbs.join('|')}) ${kind} in `),
      }
    }),
  )
}
