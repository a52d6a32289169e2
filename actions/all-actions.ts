import type { AnyAction } from '../src/action/define-action.ts'
import { contract as assert } from './assert/contract.ts'
import { contract as deploy } from './deploy/contract.ts'
import { contract as deployVotingApp } from './deploy-voting-app/contract.ts'
import { contract as loadImages } from './load-images/contract.ts'
import { contract as platform } from './platform/contract.ts'
import { contract as setupCluster } from './setup-cluster/contract.ts'
import { contract as teardown } from './teardown/contract.ts'

/** Every action of this repository, in the order of a job. */
export const allActions: readonly AnyAction[] = [
  platform,
  setupCluster,
  loadImages,
  deploy,
  deployVotingApp,
  assert,
  teardown,
]
