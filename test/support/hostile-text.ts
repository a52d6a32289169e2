import fc from 'fast-check'

/** Pieces with a meaning to a shell, YAML, the runner, its files, Markdown, HTML, Mermaid, a path, an option parser or a terminal. */
const pieces = [
  ...[
    '::error::forged',
    '::set-output name=a::b',
    '::add-mask::a',
    '::stop-commands::x',
    '##[error]forged',
    '##[group]',
  ],
  ...[
    '%0A',
    '%0D',
    '%25',
    '%3A',
    '\n',
    '\r',
    '\r\n',
    '\0',
    '\u001b[31m',
    '\u001b]0;title\u0007',
    '\u2028',
    '\u0085',
    '\t',
  ],
  ...['$(touch x)', '`id`', ';', '&&', '|', '>', '<', '*', '?', '~', '!', '\\', '../', '/etc/passwd', '..', '.', '//'],
  ...[
    '${{ github.token }}',
    '${HOME}',
    '%s',
    '"',
    "'",
    '{',
    '}',
    '[',
    ']',
    ': ',
    '- ',
    '#',
    '&a',
    '*a',
    '!!set',
    '<<: ',
    '---',
  ],
  ...[
    '```',
    '~~~',
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<!--',
    '-->',
    '](http://x)',
    '![',
    '</td>',
  ],
  ...['@team', 'www.a.b', 'http://u:p@a.b', '1. ', '| a | b |', '|-|-|', '$x$', ':tada:', '\\|', '&lt;', '&#58;'],
  ...['ghadelimiter_', '<<EOF', 'EOF', '=', 'NODE_OPTIONS=x', '--kubeconfig=/x', '-f', '--', '-', '@/etc/passwd', ','],
  ...['\u200b', '\u200d', '\ufeff', '\u00ad', '\u0301', '\u202e', '\u2066', '\ud800', '\udc00', '\u{1f600}', '：：'],
  ...['true', '1.36', '10m', 'demo', 'NaN', '1e9', '-1', '__proto__', 'constructor', '0x10', 'null', 'yes'],
]

export const hostileText: fc.Arbitrary<string> = fc
  .array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...pieces) }, fc.string({ unit: 'binary', maxLength: 8 })), {
    maxLength: 8,
  })
  .map((parts) => parts.join(''))

/** Whole values, each meant for one reader: a shell, the runner, its files, YAML, Markdown, a terminal. Whoever falls for one leaves `owned`, or what only it would. */
export const plants: readonly string[] = [
  '$(touch owned)',
  ';touch owned;',
  '`touch owned`',
  '|| touch owned && touch owned',
  '--kubeconfig=/etc/passwd',
  'a\n::set-output name=forged::owned',
  'a\n::add-mask::e\n::error title=forged::owned',
  '::error file=forged::owned%0A::warning::owned',
  'a\r##[error]owned',
  'a\nforged<<ghadelimiter_0\nowned\nghadelimiter_0',
  'a]]></failure><script>owned()</script>',
  '<img src=x onerror=owned()>](javascript:owned)',
  '| a |\n|---|\n\n```\n# owned\n@everyone',
  '&a [*a, *a]\n--- !!js/function owned\n<<: *b',
  '{a: *a, ? [b]: !!binary x, __proto__: {owned: 1}}',
  '__proto__',
  'constructor.prototype.owned=1',
  '../../../../../../etc/passwd',
  '\u001b[2K\u001b]0;owned\u0007\u0001\u007f\u0085',
  'a\u2028::error::owned\u2029::warning::owned',
  'a\u202edenwo\u2066\u200b\ufeff::error::owned',
  '${{ github.token }} ${HOME} %s %n $HOME',
]

/** As much as the kernel takes in one variable; the runner can hand over no more. */
export const longText = `x${'-\u00e9'.repeat(40_000)}`

/** A megabyte of one piece: what takes more than linear time, or room in a message, shows. */
export const hugeText: fc.Arbitrary<string> = fc
  .constantFrom(...pieces)
  .map((piece) => piece.repeat(Math.ceil(1_000_000 / piece.length)))

/** How many cases a property tries: every night ten times as many. */
export function cases(number: number): { numRuns: number } {
  return { numRuns: process.env['K8S_PLATFORM_NIGHTLY'] ? number * 10 : number }
}

/** For tests of generated cases: what the default allows is for single ones. */
export const patience = process.env['K8S_PLATFORM_NIGHTLY'] ? 1_800_000 : 240_000
