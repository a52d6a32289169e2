import { type Machine, readText } from './machine.ts'

/** In the order of their numbers, from include/uapi/linux/capability.h. */
const names = [
  ...['CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP'],
  ...['LINUX_IMMUTABLE', 'NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER'],
  ...['SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN', 'SYS_BOOT', 'SYS_NICE'],
  ...['SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP'],
  ...['MAC_OVERRIDE', 'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF'],
  'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`)

/**
 * The capabilities that this kernel knows and that no process started from here can have. Docker gives a privileged container all that the kernel
 * knows, so one missing is enough to make every privileged container fail.
 *
 * @param status content of /proc/self/status
 * @param lastCapability content of /proc/sys/kernel/cap_last_cap
 */
export function missingCapabilities(status: string, lastCapability: string): string[] {
  const mask = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1]
  const last = Number.parseInt(lastCapability, 10)
  if (mask === undefined || Number.isNaN(last)) return []
  const bounding = BigInt(`0x${mask}`)
  return Array.from({ length: last + 1 }, (_, number) => number)
    .filter((number) => (bounding & (1n << BigInt(number))) === 0n)
    .map((number) => names[number] ?? `capability ${number}`)
}

/** {@link missingCapabilities} of the process that runs this code, which is what a dockerd started by it inherits. */
export async function missingHere(machine: Machine): Promise<string[]> {
  const status = (await readText(machine, '/proc/self/status')) ?? ''
  return missingCapabilities(status, (await readText(machine, '/proc/sys/kernel/cap_last_cap')) ?? '')
}
