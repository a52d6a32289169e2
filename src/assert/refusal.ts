import { ApiError } from '../kubernetes/api-error.ts'

/** Shows what an account must be allowed; never run by us. */
export const printRbac = 'k8s-platform assert --print-rbac'

/** The API server's sentence of refusal (k8s.io/apiserver, pkg/endpoints/handlers/responsewriters, ForbiddenMessage). */
const sentence =
  /User "([^"]*)" cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)"| at the cluster scope)?/

/** The API server knows what was asked and said no: the one thing that asking again, or somewhere else, does not change. */
export function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && (error.status === 403 || error.status === 401)
}

/** What we were not allowed to do, as a person would say it: `may not list pods in namespace shop`. */
export function describeRefusal(error: ApiError): string {
  if (error.status === 401) return `the API server does not know who asks: ${error.message}`
  const [, user, verb, resource = '', group, namespace] = sentence.exec(error.message) ?? []
  // Refused by something else than RBAC, such as quota or Pod Security: its own words are the best there are.
  if (verb === undefined) return error.message
  const kind = group === undefined || group === '' ? resource : `${resource}.${group}`
  const where = namespace === undefined ? 'in the whole cluster' : `in namespace ${namespace}`
  return `may not ${verb} ${kind} ${where} (as ${user})`
}
