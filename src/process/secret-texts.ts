/**
 * What must be hidden so that a secret shows nowhere: logs are written and masked line by line, so each line of it alone too, also without the space around it that
 * whoever quotes it may have cut. A blank line hides nothing.
 */
export function secretTexts(secret: string): string[] {
  const parts = [secret, ...secret.split(/\r\n|\r|\n/)]
  const texts = new Set(parts.flatMap((part) => [part, part.trim()]))
  return [...texts].filter((text) => text.trim() !== '')
}
