/** A run of a handler: what is asked for, what comes of it, and who can run one. */

/** Taken from the desktop session, where there is one. */
export const DESKTOP = [
  'DISPLAY',
  'WAYLAND_DISPLAY',
  'XAUTHORITY',
  'DBUS_SESSION_BUS_ADDRESS',
  'XDG_CURRENT_DESKTOP',
  'XDG_SESSION_TYPE'
] as const
/** In its environment: the unit it is, or would be, by which all that belongs to it can be told. */
export const RUN_NAME = 'COTERIE_UNIT'
export const unitName = (run: string): string => `${run}.service`
/** What is kept of what it writes to stdout, bytes. */
export const OUTPUT = 65_536
/** Between TERM and KILL. */
export const PATIENCE_MS = 5_000

export interface Limits {
  readonly timeoutMs: number
  /** MiB. */
  readonly memory: number
  /** Processes and threads; of a unit only. */
  readonly tasks: number
}

export interface HandlerRun extends Limits {
  /** Another one for each run, for ever: `coterie-handler-…`; letters, digits, `-`. */
  readonly name: string
  /** Absolute. */
  readonly file: string
  readonly directory: string
  /** All of it: nothing is inherited. */
  readonly environment: { readonly [name: string]: string }
  readonly body: Uint8Array
  /** What it writes to stdout is kept, up to OUTPUT; else it goes nowhere. */
  readonly output: boolean
}

export type HandlerEnd = {
  /** At most OUTPUT bytes. */
  readonly output: Uint8Array
  /** It wrote more. */
  readonly tooMuch: boolean
  /** The end of what it wrote to stderr. */
  readonly complaint: string
} & How

export type How =
  | { readonly type: 'exit'; readonly code: number }
  | { readonly type: 'signal'; readonly signal: string }
  | { readonly type: 'timeout' }
  | { readonly type: 'not-started'; readonly why: string }
  /** It was started, and nothing tells what became of it. */
  | { readonly type: 'unknown' }

export interface Running {
  /** Never rejects; may never come when the daemon is stopped meanwhile. */
  readonly ended: Promise<HandlerEnd>
  /** TERM, and later KILL, to all of it. */
  end(): void
  /** Its end is on disk: nothing has to tell of it any more. Whatever it left behind is ended. */
  release(): Promise<void>
}

export interface Runner {
  /** Rejects when it is certain that nothing was started. */
  start(run: HandlerRun): Promise<Running>
  /** A run of an earlier process. `unbegun`: it was not started, and will not be. Undefined: nothing is known of it. */
  adopt(name: string, limits: Limits): Promise<Running | 'unbegun' | undefined>
}
