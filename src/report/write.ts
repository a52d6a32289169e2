import { mkdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { renderHtml } from './html.ts'
import { renderJunit } from './junit.ts'
import type { RunRecord } from './record.ts'
import { renderSummary } from './summary.ts'

export interface ReportFiles {
  readonly json: string
  readonly junit: string
  readonly summary: string
  readonly html: string
}

/** Names are stable: people upload and parse them. */
export function reportFiles(folder: string): ReportFiles {
  const file = (name: string): string => path.join(folder, name)
  return {
    json: file('assertions.json'),
    junit: file('junit.xml'),
    summary: file('summary.md'),
    html: file('report.html'),
  }
}

/** Writes every report of the record into the folder, each whole or not at all. */
export async function writeReports(record: RunRecord, folder: string): Promise<ReportFiles> {
  const files = reportFiles(folder)
  await mkdir(folder, { recursive: true })
  await Promise.all([
    writeWhole(files.json, `${JSON.stringify(record, null, 2)}\n`),
    writeWhole(files.junit, renderJunit(record)),
    writeWhole(files.summary, renderSummary(record)),
    writeWhole(files.html, renderHtml(record)),
  ])
  return files
}

/** By rename: an upload step that runs at the same time never sees half a file. */
async function writeWhole(file: string, content: string): Promise<void> {
  const partial = `${file}.partial`
  await writeFile(partial, content)
  await rename(partial, file)
}
