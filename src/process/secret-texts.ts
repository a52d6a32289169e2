/**
 * What must be hidden so that a secret shows nowhere: logs are written and masked line by line, so each line of it alone too, also without the space around it that
 * whoever quotes it may have cut. A blank line hides nothing.
 */
export function secretTexts(secret: string): string[] {
  const parts = [secret, ...secret.split(/\r\n|\r|\n/)]
  const texts = new Set(parts.flatMap((part) => [part, part.trim()]))
  return [...texts].filter((text) => text.trim() !== '')
}

/** Secrets of a run, for taking them out of what is written: a runner hides what it was told to in its log, but not in files, and not how JSON or a URL writes it. */
export class Secrets {
  /** Longest first: one may be a part of another. */
  #forms: readonly string[] = []

  add(secret: string): void {
    const forms = secretTexts(secret).flatMap((text) => [
      text,
      JSON.stringify(text).slice(1, -1),
      inUrl(text),
      base64(text),
    ])
    this.#forms = [...new Set([...this.#forms, ...forms])].sort((one, other) => other.length - one.length)
  }

  hide(text: string): string {
    return this.#forms.reduce((hidden, form) => hidden.replaceAll(form, '***'), text)
  }
}

function inUrl(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
