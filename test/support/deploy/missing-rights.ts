import { type Permission, permissions, type Way } from '../../../src/deploy/permissions.ts'
import type { Grant } from '../../../src/deploy/rights.ts'
import type { FaultRow } from '../prove-fault.ts'

/** One verb on one resource that a deployment's account lacks. */
export interface MissingDeployRight {
  readonly title: string
  readonly way: Way
  readonly verb: string
  readonly resource: string
  readonly place: Permission['place']
  /** Else the deployment goes on without it. */
  readonly refused: boolean
}

/** Verbs that the sample gives no reason to use; each is named with what does. */
const unused: Readonly<Record<string, string>> = {
  'chart: watch secrets': 'only another operation on the release is watched',
  'chart: delete secrets': 'Helm forgets the oldest of more than five revisions, and we an operation that died',
  'objects: get pods/log': 'read only of what fails',
  'chart: get pods/log': 'read only of what fails',
}

/** Whether `deploy` asks for it with the sample app at all. */
function isTried({ when }: Permission): boolean {
  return when === undefined || when === 'prune' || when === 'replicas' || when === 'exposed'
}

/** For every rule that the sample app needs, its resources and verbs, each way of deploying. */
export function missingDeployRights(): MissingDeployRight[] {
  return (['objects', 'chart'] as const)
    .flatMap((way) =>
      permissions
        .filter((permission) => isTried(permission) && (permission.way ?? way) === way)
        .flatMap((permission) => missingOf(way, permission)),
    )
    .filter(({ title }) => unused[title] === undefined)
}

function missingOf(way: Way, { place, on, verbs, without }: Permission): MissingDeployRight[] {
  return verbs.flatMap((verb) => {
    // The Deployment is made, changed and waited for; the budget goes.
    const resources = on !== 'its kind' ? on.resources : [verb === 'delete' ? 'poddisruptionbudgets' : 'deployments']
    return resources.map((resource) => {
      const where = place === 'kube-system' ? ' in kube-system' : ''
      const title = `${way}: ${verb} ${resource}${where}`
      return { title, way, verb, resource, place, refused: without === undefined }
    })
  })
}

/** The grants without it. */
export function grantsWithout(grants: readonly Grant[], missing: MissingDeployRight): Grant[] {
  const { verb, resource, place } = missing
  const isIt = ({ namespace, rule }: Grant): boolean =>
    rule.resources.includes(resource) && (namespace === 'kube-system') === (place === 'kube-system')
  return grants.flatMap((grant) => {
    if (!isIt(grant)) return [grant]
    const verbs = grant.rule.verbs.filter((other) => other !== verb)
    return verbs.length === 0 ? [] : [{ ...grant, rule: { ...grant.rule, verbs } }]
  })
}

/** The row of docs/reliability.md. */
export function deployRightRow({ title, refused }: MissingDeployRight): FaultRow {
  const expected = refused ? 'refused, and the right is named' : 'deployed all the same'
  return { section: 'deployments', fault: `an account without: ${title}`, expected }
}
