/** Of a value that a person gave, more than this helps nobody to find it. */
const mostShown = 200

/** What cannot be seen, or turns the direction of writing around: shown by its code point, a reader would be told something else than what is there. */
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** A value as a person finds it again: on one line, in quotes, everything visible, its end left out when it is long, credentials of a URL as `***`. */
export function quoted(text: string): string {
  // Before the end is cut off, which may be what tells a password from a path.
  const open = withoutCredentials(text)
  const shown = open.length > mostShown ? `${open.slice(0, mostShown).toWellFormed()}…` : open
  const plain = JSON.stringify(shown).replace(unseen, codePoint)
  return text.length > mostShown ? `${plain}, ${text.length} characters` : plain
}

/** A name or place, bare where it is one, else as {@link quoted} has it: a key of a file may be anything. */
export function printable(text: string): string {
  return text.length <= mostShown && text.isWellFormed() && text.search(unseen) === -1 ? text : quoted(text)
}

/** Words of a program or parser, which quote what was given: everything visible, lines kept. */
export function visible(text: string): string {
  return text.replace(unseen, (character) => (character === '\n' ? character : codePoint(character)))
}

function withoutCredentials(text: string): string {
  return text.replace(/:\/\/[^\s/?#@]*@/g, '://***@')
}

function codePoint(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`
}
