import { access } from 'node:fs/promises'

/** Whether there is something at that path, as far as this user can see; a link that leads nowhere is nothing. */
export function pathExists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
