import type { Host } from './host.ts'

/** The host with one more reason to end: an abort of `signal` also ends the programs that were started through it. The host's own signal goes on counting. */
export function abortableHost(host: Host, signal: AbortSignal): Host {
  return {
    ...host,
    signal: AbortSignal.any([host.signal, signal]),
    exec: {
      run: (command, args, options = {}) =>
        host.exec.run(command, args, {
          ...options,
          signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal]),
        }),
    },
  }
}
