/**
 * Fifty addresses at the end of the nodes' network for LoadBalancer services, `172.18.255.200-172.18.255.250`, that no range in `taken` overlaps: Docker hands
 * addresses out from the start. undefined when the subnet has no room. `subnet` as `172.18.0.0/16`.
 */
export function loadBalancerRange(subnet: string, taken: readonly string[]): string | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(subnet)
  if (match === null) return undefined
  const [a = 0, b = 0, c = 0, d = 0, bits = 32] = match.slice(1).map(Number)
  if (bits > 24) return undefined
  const base = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  const blocks = 2 ** (24 - bits)
  for (let block = blocks - 1; block >= 0; block--) {
    const start = base + block * 256
    const prefix = [start >>> 24, (start >>> 16) & 255, (start >>> 8) & 255].join('.')
    const range = `${prefix}.200-${prefix}.250`
    if (!taken.includes(range)) return range
  }
  return undefined
}
