import { readFileSync } from 'node:fs'
import type { Settings } from './settings.ts'

/** A file of the page, ready to send. */
export interface PageFile {
  readonly type: string
  readonly body: string
}

/** The page's files by URL path, read and filled in once. */
export function loadPage(settings: Pick<Settings, 'labels' | 'voteUrl'>): ReadonlyMap<string, PageFile> {
  const read = (name: string) => readFileSync(new URL(`../public/${name}`, import.meta.url), 'utf8')
  const link = settings.voteUrl ? `<p class="vote"><a href="${escapeHtml(settings.voteUrl)}">Cast a vote</a></p>` : ''
  const html = read('index.html')
    .replaceAll('{{a}}', () => escapeHtml(settings.labels.a))
    .replaceAll('{{b}}', () => escapeHtml(settings.labels.b))
    .replaceAll('{{vote-link}}', () => link)
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', body: html }],
    ['/result.js', { type: 'text/javascript; charset=utf-8', body: read('result.js') }],
    ['/result.css', { type: 'text/css; charset=utf-8', body: read('result.css') }],
    ['/icon.svg', { type: 'image/svg+xml', body: read('icon.svg') }],
  ])
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character)
}
