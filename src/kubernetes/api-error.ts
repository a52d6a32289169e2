import { ToolkitError } from '../process/errors.ts'

/** One detail of the server's refusal, such as a field that another manager owns (`FieldManagerConflict`) or that is invalid. */
export interface ApiCause {
  readonly reason?: string
  readonly message?: string
  readonly field?: string
}

/** An answer of the API server that is not 2xx. `reason` is the Status object's, such as `AlreadyExists` or `Forbidden`. */
export class ApiError extends ToolkitError {
  readonly status: number
  readonly reason: string
  /** What the server says, without our request before it. */
  readonly answer: string
  readonly causes: readonly ApiCause[]

  constructor(request: string, status: number, reason: string, message: string, causes: readonly ApiCause[] = []) {
    super(`${request}: ${status} ${reason}: ${message}`, { code: 'KUBERNETES_API' })
    this.status = status
    this.reason = reason
    this.answer = message
    this.causes = causes
  }
}
