import { ToolkitError } from '../process/errors.ts'

/** An answer of the API server that is not 2xx. `reason` is the Status object's, such as `AlreadyExists` or `Forbidden`. */
export class ApiError extends ToolkitError {
  readonly status: number
  readonly reason: string

  constructor(request: string, status: number, reason: string, message: string) {
    super(`${request}: ${status} ${reason}: ${message}`, { code: 'KUBERNETES_API' })
    this.status = status
    this.reason = reason
  }
}
