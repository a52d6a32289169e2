const longest = 240

/** Kubelet and containerd nest their errors, outermost first: what matters stands at both ends. */
export function shorten(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim()
  return line.length <= longest ? line : `${line.slice(0, longest / 2)} ... ${line.slice(-longest / 2)}`
}

/** `ImagePullBackOff: Back-off pulling image ...` of a container's waiting state. */
export function waitingReason(waiting: { readonly reason?: string; readonly message?: string }): string {
  return shorten(`${waiting.reason ?? 'waiting'}${waiting.message === undefined ? '' : `: ${waiting.message}`}`)
}

/**
 * `a: x; b: y`, and `a and 2 more: x` where several subjects share a reason but for details such as ports and addresses. A reason begins with its subject, as `worker2: ...`
 * or `worker2 NotReady: ...`.
 */
export function joinReasons(reasons: readonly string[]): string {
  const groups = new Map<string, { first: string; rest: string; count: number }>()
  for (const reason of reasons) {
    const end = reason.search(/[: ]/)
    const [subject, rest] = end === -1 ? [reason, ''] : [reason.slice(0, end), reason.slice(end)]
    const key = rest.replace(/[\w.-]+/g, (word) => (word === subject ? '' : word)).replace(/\d+/g, '0')
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { first: subject, rest, count: 1 })
    else group.count++
  }
  return [...groups.values()]
    .map((group) => `${group.first}${group.count > 1 ? ` and ${group.count - 1} more` : ''}${group.rest}`)
    .join('; ')
}
