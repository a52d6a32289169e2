import type { Host } from '../process/host.ts'
import { type ClusterState, saveState } from './state.ts'

/** Called with each state as it is saved. */
export type OnState = ((state: ClusterState) => void | Promise<void>) | undefined

/** The state of the cluster that is being made, as last saved. */
export class StateJournal {
  state: ClusterState
  readonly #host: Host
  readonly #onState: OnState

  constructor(host: Host, state: ClusterState, onState: OnState) {
    this.#host = host
    this.state = state
    this.#onState = onState
  }

  async update(changes: Partial<ClusterState>): Promise<void> {
    this.state = await saveState(this.#host, { ...this.state, ...changes })
    await this.#onState?.(this.state)
  }
}
