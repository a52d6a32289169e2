import { stringify } from 'yaml'
import { type DeployTools, deploy } from '../../../src/deploy/deploy.ts'
import { deployRequest, deployTools } from '../../../src/deploy/deploy-request.ts'
import { needsOf } from '../../../src/deploy/print-rights.ts'
import { deployAccount, type Grant, grantsFor, rightsObjects } from '../../../src/deploy/rights.ts'
import { chooseImageSource } from '../../../src/pipeline/choose-image-source.ts'
import { cacheFolder } from '../../../src/process/environment.ts'
import { messageOf } from '../../../src/process/errors.ts'
import type { DrillCluster } from '../../e2e/cluster-fixture.ts'
import { accountKubeconfig } from '../limited-account.ts'
import { kubectl } from '../plain-app.ts'
import { type Finding, mended, proveFault } from '../prove-fault.ts'
import { deployRightRow, grantsWithout, type MissingDeployRight } from './missing-rights.ts'
import { type SampleForm, writeSample } from './sample-app.ts'

/** Both revisions of the sample, the second with `prune`, as an account with these rights of those that it needs; what the runs say, or what the first failed one does. */
export async function deployAs(
  cluster: DrillCluster,
  form: SampleForm,
  namespace: string,
  limit: (grants: readonly Grant[]) => readonly Grant[] = (grants) => grants,
): Promise<string> {
  const { host } = cluster
  const requestFor = (revision: 1 | 2): ReturnType<typeof deployRequest> => {
    const folder = writeSample(host.paths.temp, form, revision)
    const source = form === 'manifests' ? { manifests: [folder] } : { [form]: folder }
    return deployRequest(host, { ...inputs, ...source, release: 'web', namespace })
  }
  const needs = await needsOf(host, requestFor(1), toolsFor(cluster, cluster.kubeconfig))
  const objects = rightsObjects(needs, limit(grantsFor(needs)))
  await kubectl(cluster, ['apply', '-f', '-'], objects.map((object) => stringify(object)).join('---\n'))
  const tools = toolsFor(cluster, await accountKubeconfig(cluster, namespace, deployAccount))
  try {
    const first = await deploy(host, requestFor(1), tools)
    const second = await deploy(host, requestFor(2), tools)
    return `deployed revisions ${first.revision} and ${second.revision}`
  } catch (error) {
    return messageOf(error)
  }
}

const inputs = { createNamespace: true, prune: true, forceConflicts: false, dryRun: false, timeoutMs: 90_000 }

function toolsFor({ host }: DrillCluster, kubeconfig: string): DeployTools {
  // Programs from where `up` has put them: a cache of the test's own would compile them.
  const cached = { ...host, paths: { ...host.paths, cache: cacheFolder(process.env) } }
  const tools = deployTools(
    async () => ({ kubeconfig }),
    () => chooseImageSource(cached, 'auto', {}),
  )
  return { ...tools, helm: () => tools.helm(cached), kubectl: () => tools.kubectl(cached) }
}

/** Takes back what {@link deployAs} made; the roles of the whole cluster too. */
export async function removeDeployed(cluster: DrillCluster, namespace: string): Promise<void> {
  const role = `${deployAccount}-${namespace}-web`
  const gone = ['--ignore-not-found', '--wait=false']
  await kubectl(cluster, ['delete', 'clusterrole,clusterrolebinding', role, ...gone])
  await kubectl(cluster, ['delete', 'role,rolebinding', role, '-n', 'kube-system', ...gone])
  await kubectl(cluster, ['delete', 'namespace', namespace, ...gone])
}

/** Without a right that the table calls needed it is refused by name; without another it is deployed all the same. A verb whose lack nothing tells is superfluous. */
export function deployWithout(cluster: DrillCluster, missing: MissingDeployRight, namespace: string): Promise<void> {
  const row = deployRightRow(missing)
  return mended(row, (mend) =>
    proveFault(row, async () => {
      mend(() => removeDeployed(cluster, namespace))
      const form = missing.way === 'chart' ? 'chart' : 'manifests'
      return judged(missing, await deployAs(cluster, form, namespace, (grants) => grantsWithout(grants, missing)))
    }),
  )
}

/** What a run said, held against what it must say. */
export function judged({ verb, resource, refused }: MissingDeployRight, seen: string): Finding {
  const told = refused ? new RegExp(`cannot ${verb} resource "${resource}"`) : /^deployed revisions 1 and [12]$/
  return { seen, wrong: told.test(seen) ? [] : [`${seen} instead of ${told}`] }
}
