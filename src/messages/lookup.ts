/**
 * Which handler a message or an event goes to, of the files that there are. Of those for a message the one for most
 * peers (`@name`) is taken, of equals the first: by handler folder, then by path. An event goes to all that are for it.
 */
import { type Family, type Naming, namingOf } from './naming.ts'

/** A file found in a handler folder. */
export interface HandlerFile {
  /** Absolute path of the handler folder, and place of that folder in the configuration. */
  readonly folder: string
  readonly order: number
  /** Below the folder. */
  readonly path: string
  /** Why it must not be run; '' when it may. */
  readonly problem: string
}

export interface Handler extends HandlerFile {
  readonly naming: Naming
}

/** Whom an event is about, under all names it may be written by. */
export interface About {
  readonly names: ReadonlySet<string>
}

export interface Found {
  /** The one to run. */
  readonly handler: Handler | undefined
  /** Others that would be, were it not for that one. */
  readonly shadowed: readonly Handler[]
  /** Files for it that must not be run. */
  readonly unsafe: readonly Handler[]
}

export class Lookup {
  readonly handlers: readonly Handler[]
  /** Files that are for nothing, and folders that were not looked into; why. */
  readonly strays: readonly { readonly file: HandlerFile; readonly why: string }[]
  readonly #byTag = new Map<string, Handler[]>()

  /** `closed`: folders that were not looked into. */
  constructor(files: readonly HandlerFile[], closed: readonly HandlerFile[] = []) {
    const handlers: Handler[] = []
    const strays = closed.map(file => ({ file, why: file.problem }))
    for (const file of [...files].sort(inOrder)) {
      const naming = namingOf(file.path)
      if (typeof naming === 'string') strays.push({ file, why: naming })
      else handlers.push({ ...file, naming })
    }
    for (const handler of handlers) {
      if (handler.naming.family !== 'message') continue
      const { tag } = handler.naming
      this.#byTag.set(tag, [...(this.#byTag.get(tag) ?? []), handler])
    }
    this.handlers = handlers
    this.strays = strays
  }

  message(tag: string, from: About): Found {
    const fitting = (this.#byTag.get(tag) ?? []).filter(({ naming }) => isAbout(naming, from))
    const safe = fitting.filter(({ problem }) => problem === '')
    // a stable sort: of equals the first stays first
    const [handler, ...shadowed] = safe.sort((a, b) => b.naming.peers.length - a.naming.peers.length)
    return { handler, shadowed, unsafe: fitting.filter(({ problem }) => problem !== '') }
  }

  event(family: Exclude<Family, 'message'>, event: string, about: About): readonly Handler[] {
    return this.handlers.filter(
      ({ naming, problem }) =>
        problem === '' &&
        naming.family === family &&
        (naming.events.length === 0 || naming.events.includes(event)) &&
        isAbout(naming, about)
    )
  }
}

const isAbout = ({ peers }: Naming, { names }: About): boolean => peers.every(name => names.has(name))

const inOrder = (a: HandlerFile, b: HandlerFile): number =>
  a.order - b.order || (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)
