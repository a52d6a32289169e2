import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shorten } from './reasons.ts'

export interface NodeFault {
  /** `demo-worker: kubelet: ...`, one line. */
  readonly fact: string
  readonly node: string
  readonly service: string
  readonly message: string
  /** What helps; only where the cause is a known one. */
  readonly hint?: string
}

/** What is known to stop a node from coming up, by what its services log. The first that matches is the cause; what follows it are symptoms. */
const known: readonly { readonly signature: RegExp; readonly hint: string }[] = [
  {
    signature: /too many open files/i,
    hint: 'The inotify limit of the host is used up by all nodes on it: sudo sysctl fs.inotify.max_user_instances=512',
  },
  {
    signature: /no space left on device/i,
    hint: 'The disk is full: free some room, `docker system prune` for example.',
  },
  {
    signature: /failed to initialize top level QOS|configured to not run on a host using cgroup v1/i,
    hint: 'The host’s cgroups do not fit this Kubernetes version.',
  },
]

/** Services in the order in which one needs the other. */
const services = ['containerd', 'kubelet'] as const

/**
 * Reads the journals that `kind export logs` left under `folder` for the one line that explains why a node did not come up; undefined when none does. kind itself
 * reports only that kubeadm waited in vain.
 */
export async function nodeFault(folder: string): Promise<NodeFault | undefined> {
  const nodes = (await readdir(folder).catch(() => [] as string[])).sort()
  const logs: { readonly node: string; readonly service: string; readonly lines: readonly string[] }[] = []
  for (const service of services) {
    for (const node of nodes) {
      const text = await readFile(join(folder, node, `${service}.log`), 'utf8').catch(() => '')
      if (text !== '') logs.push({ node, service, lines: text.split('\n') })
    }
  }
  for (const { node, service, lines } of logs) {
    for (const { signature, hint } of known) {
      const line = lines.find((entry) => signature.test(entry))
      if (line !== undefined) return { ...described(node, service, line), hint }
    }
  }
  for (const { node, service, lines } of logs) {
    const line = lines.findLast((entry) => fatal.test(entry) && !notYet.test(entry))
    if (line !== undefined) return described(node, service, line)
  }
  return undefined
}

const fatal = /"command failed"|\blevel=fatal\b|\bF\d{4} /
/** Said by the kubelet of a node whose turn to join has not come. */
const notYet = /\/var\/lib\/kubelet\/config\.yaml.*no such file/

function described(node: string, service: string, line: string): NodeFault {
  const text = message(line)
  return { fact: `${node}: ${service}: ${text}`, node, service, message: text }
}

/** A journal line without its time and host, reduced to the error it quotes where it quotes one. */
function message(line: string): string {
  const quoted = /\b(?:err|error)="((?:[^"\\]|\\.)*)"/.exec(line)?.[1]
  return shorten((quoted ?? line.replace(/^\w{3} \d+ [\d:]+ \S+ [^:]+: /, '')).replaceAll('\\"', '"'))
}
