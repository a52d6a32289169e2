import { existsSync } from 'node:fs'
import type { LaunchOptions } from 'playwright-core'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
if (!executablePath) throw new Error('Chromium is not installed; install it: apt-get install chromium')

/** How tests start Chromium: also as root, and without asking the outside for anything. */
export const CHROMIUM: LaunchOptions = {
  executablePath,
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
}
