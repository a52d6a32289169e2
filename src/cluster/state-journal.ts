import { ToolkitError } from '../process/errors.ts'
import type { Host } from '../process/host.ts'
import { changeState } from './records.ts'
import type { ClusterState } from './state.ts'

/** Called with each state as it is saved. */
export type OnState = ((state: ClusterState) => void | Promise<void>) | undefined

type Changes = Partial<ClusterState>

/** The state of the cluster that is being made, as last saved. Other runs may leave it their duties meanwhile (teardown.ts), so what is on disk is what is changed. */
export class StateJournal {
  state: ClusterState
  readonly #host: Host
  readonly #onState: OnState

  constructor(host: Host, state: ClusterState, onState: OnState) {
    this.#host = host
    this.state = state
    this.#onState = onState
  }

  async update(changes: Changes | ((present: ClusterState) => Promise<Changes>)): Promise<void> {
    const { name, createdAt } = this.state
    const saved = await changeState(this.#host, name, async (present) => {
      if (present.createdAt !== createdAt) throw gone(name)
      return withDuties(present, typeof changes === 'function' ? await changes(present) : changes)
    })
    if (saved === undefined) throw gone(name)
    this.state = saved
    await this.#onState?.(saved)
  }
}

/** To remove the network stays ours once another run has left it to us. */
function withDuties(present: ClusterState, changes: Changes): Changes {
  const { network } = changes
  if (network === undefined || network.name !== present.network?.name) return changes
  return { ...changes, network: { ...network, created: network.created || present.network.created } }
}

function gone(name: string): ToolkitError {
  return new ToolkitError(`the record of cluster ${name} is gone: it was taken down while it was being made`, {
    code: 'CLUSTER_GONE',
    hint: 'Somebody has removed it by its name. Give each run a cluster-name of its own, or none.',
  })
}
