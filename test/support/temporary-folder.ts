import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/**
 * Global set-up: one temporary folder for all tests of a run, and gone with it, whatever they leave there. Its name is one that comparisons of a host leave out, so that
 * units may run beside them.
 */
export default function setup(): () => void {
  const given = process.env['TMPDIR']
  const folder = mkdtempSync(path.join(tmpdir(), 'k8s-platform-test-'))
  process.env['TMPDIR'] = folder
  return () => {
    if (given === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = given
    rmSync(folder, { recursive: true, force: true })
  }
}
