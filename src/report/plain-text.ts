/** What moves a cursor, hides text or turns the direction of writing around. Line breaks and tabs stay: each format has its own for them. */
const misleading = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Text of a cluster as a report may show it: well-formed, and as it looks. */
export function plainText(text: string): string {
  return text.toWellFormed().replace(misleading, '\u{FFFD}')
}

/** Text as text in Markdown: no markup, HTML, table cell, mention or link can come out of it. One line. */
export function escapeMarkdown(text: string): string {
  return (
    plainText(text)
      .replace(/\s+/g, ' ')
      .trim()
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replace(/[\\`*_{}[\]()#+!|~$:=-]/g, '\\$&')
      // At the beginning of a line a number with a full stop begins a list; after `www` it begins a link.
      .replace(/^\d+(?=\.(?: |$))|www(?=\.)/gi, '$&\\')
      // A mention notifies people; a zero-width joiner keeps the look and takes the effect.
      .replace(/@(?=[\w-])/g, '@\u200d')
  )
}
