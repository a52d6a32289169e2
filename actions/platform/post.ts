import { cleanUpCluster } from '../../src/action/clean-up-cluster.ts'
import { runPost } from '../../src/action/run.ts'
import { contract } from './contract.ts'

await runPost(contract, cleanUpCluster)
