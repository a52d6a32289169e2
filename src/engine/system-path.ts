const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/**
 * An environment whose PATH also has the system's folders, last: Debian keeps dockerd, containerd, runc, nft and iptables in /usr/sbin, which a user's or
 * a service's PATH may lack, and dpkg refuses to work without it.
 */
export function withSystemPath(env: Readonly<Record<string, string>>): Record<string, string> {
  const own = (env['PATH'] ?? '').split(':').filter((folder) => folder !== '')
  return { ...env, PATH: [...own, ...folders.filter((folder) => !own.includes(folder))].join(':') }
}
