/** Completions for bash, zsh and fish, made from the program itself. */
import { commands, type Entry, every, type Flag, type Values, values, type Word } from './commands.ts'

const HEAD = '# Made from the command line itself by scripts/package/completions.ts.'

/** Names as `coterie … --json` prints them, one a line. It asks the daemon, which its user has enabled. */
const ASK = (what: string) =>
  `coterie ${what} --json 2>/dev/null | tr ',{' '\\n\\n' | sed -n 's/^[[:space:]]*"Name"[[:space:]]*:[[:space:]]*"\\([^"\\\\]*\\)".*/\\1/p'`
const PEERS = ASK('devices')
const CIRCLES = ASK('circle list')

const key = (path: readonly string[]) => path.join(' ')
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`

/** Words that may come first at this place: commands, flags, and what the next argument can be. */
const starts = ({ below, flags }: Entry) => [
  ...below.map(b => b.path.at(-1)!),
  ...flags.map(f => f.flag),
  '--help'
]

function bashValues(wanted: Values): string {
  if (wanted === 'file') return 'compopt -o filenames; COMPREPLY=($(compgen -f -- "$cur"))'
  if (wanted === 'peer') return '_coterie_names "$(_coterie_peers)"'
  if (wanted === 'circle') return '_coterie_names "$(_coterie_circles)"'
  return wanted.length > 0 ? `COMPREPLY=($(compgen -W '${wanted.join(' ')}' -- "$cur"))` : ':'
}

export function bash(): string {
  const all = every(commands())
  const paths = all.filter(e => e.path.length > 0).map(e => `'${key(e.path)}'`)
  const flags = all.flatMap(e =>
    e.flags
      .filter(f => f.value)
      .map(f => `    '${key(e.path)} ${f.flag}') ${bashValues(values(e.path, f.value!.name))} ;;`)
  )
  const places = all.map(e => {
    const words = e.words.length > 0 ? values(e.path, e.words[0]!.name) : []
    return `    '${key(e.path)}')
      COMPREPLY=($(compgen -W '${starts(e).join(' ')}' -- "$cur"))
      [[ $cur == -* ]] || ${words.length === 0 ? ':' : `{ local first=("\${COMPREPLY[@]}"); ${bashValues(words)}; COMPREPLY+=("\${first[@]}"); }`} ;;`
  })
  return `${HEAD}
_coterie_peers() { ${PEERS}; }
_coterie_circles() { ${CIRCLES}; }
_coterie_names() {
  local IFS=$'\\n' name
  COMPREPLY=()
  for name in $1; do
    [[ $name == "$cur"* ]] && COMPREPLY+=("$(printf %q "$name")")
  done
}
_coterie() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} place='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "\${place:+$place }\${COMP_WORDS[i]}" in
      ${paths.join(' | ')}) place=\${place:+$place }\${COMP_WORDS[i]} ;;
    esac
  done
  case "$place $prev" in
${flags.join('\n')}
    *) false ;;
  esac && return
  case $place in
${places.join('\n')}
  esac
}
complete -F _coterie coterie
`
}

function zshValues(wanted: Values): string {
  if (wanted === 'file') return '_files'
  if (wanted === 'peer') return '__coterie_peers'
  if (wanted === 'circle') return '__coterie_circles'
  return wanted.length > 0 ? `(${wanted.join(' ')})` : ' '
}

const bracketed = (text: string) => text.replaceAll(/[[\]:\\]/g, '\\$&')

function zshFlag(path: readonly string[], { flag, doc, value }: Flag): string {
  const what = value
    ? `${value.required ? ':' : '::'}${value.name}:${zshValues(values(path, value.name))}`
    : ''
  return quoted(`${flag}[${bracketed(doc)}]${what}`)
}

function zshWord(path: readonly string[], { name, required, variadic }: Word, at: number): string {
  return quoted(
    `${variadic ? '*' : at}${required || variadic ? ':' : '::'}${name}:${zshValues(values(path, name))}`
  )
}

function zshFunction(e: Entry): string {
  const name = ['_coterie', ...e.path].join('_').replace(/^_coterie$/, '_coterie_all')
  const help = quoted('(- *)--help[say how it is used]')
  const lines = [help, ...e.flags.map(f => zshFlag(e.path, f))]
  if (e.below.length === 0) {
    const words = e.words.map((w, i) => zshWord(e.path, w, i + 1))
    return `${name}() {\n  _arguments -s ${[...lines, ...words].join(' \\\n    ')}\n}\n`
  }
  const names = e.below.map(b => `    ${quoted(`${b.path.at(-1)}:${b.doc}`)}`)
  return `${name}() {
  local curcontext=$curcontext state line
  local -A opt_args
  local -a commands=(
${names.join('\n')}
  )
  _arguments -C -s ${[...lines, "'1: :->command'", "'*:: :->rest'"].join(' \\\n    ')}
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${e.below.map(b => `        ${b.path.at(-1)}) ${['_coterie', ...b.path].join('_')} ;;`).join('\n')}
      esac ;;
  esac
}
`
}

export function zsh(): string {
  return `#compdef coterie
${HEAD}
__coterie_peers() {
  local -a names
  names=(\${(f)"$(${PEERS})"})
  compadd -a names
}
__coterie_circles() {
  local -a names
  names=(\${(f)"$(${CIRCLES})"})
  compadd -a names
}
${every(commands()).map(zshFunction).join('')}
_coterie_all "$@"
`
}

function fishValues(wanted: Values): string {
  if (wanted === 'file') return '-F'
  if (wanted === 'peer') return "-a '(__coterie_peers)'"
  if (wanted === 'circle') return "-a '(__coterie_circles)'"
  return wanted.length > 0 ? `-a ${quoted(wanted.join(' '))}` : ''
}

/** -x: no file names beside them. */
const fishTakes = (path: readonly string[], { name, required }: Word) =>
  !required ? '' : values(path, name) === 'file' ? '-r ' : '-x '

const fishText = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

export function fish(): string {
  const all = every(commands())
  const lines = all.flatMap(e => {
    const at = `complete -c coterie -n '__coterie_at "${key(e.path)}"'`
    return [
      ...e.below.map(b => `${at} -a ${b.path.at(-1)} -d ${fishText(b.doc)}`),
      ...e.flags.map(
        f =>
          `${at} -l ${f.flag.slice(2)} ${f.value ? `${fishTakes(e.path, f.value)}${fishValues(values(e.path, f.value.name))} ` : ''}-d ${fishText(f.doc)}`
      ),
      ...e.words
        .slice(0, 1)
        .map(w => [at, fishValues(values(e.path, w.name))])
        .filter(([, v]) => v)
        .map(l => l.join(' '))
    ]
  })
  return `${HEAD}
function __coterie_peers; ${PEERS}; end
function __coterie_circles; ${CIRCLES}; end
# True where the commands typed so far are these.
function __coterie_at
    set -l place
    for word in (commandline -opc)[2..]
        set -l next (string join -- ' ' $place $word)
        contains -- "$next" ${all
          .filter(e => e.path.length > 0)
          .map(e => `'${key(e.path)}'`)
          .join(' ')}
        and set place $next
    end
    test "$place" = "$argv[1]"
end
complete -c coterie -f
complete -c coterie -l help -d 'say how it is used'
${lines.join('\n')}
`
}
