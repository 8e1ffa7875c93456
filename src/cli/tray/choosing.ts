/**
 * A file, chosen by the person at the desktop: by xdg-desktop-portal (org.freedesktop.portal.FileChooser), where
 * there is none by zenity or kdialog.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type Bus, BusError, plain, Variant } from '../../host/bus.ts'
import { Failure } from '../run.ts'

const PORTAL = 'org.freedesktop.portal.Desktop'
const PATH = '/org/freedesktop/portal/desktop'
const REQUEST = 'org.freedesktop.portal.Request'
/** Starting the portal can take long; the dialog itself is not waited for in this. */
const PORTAL_MS = 25_000
/** What says that there is no portal, or none with a dialog for files. */
const ABSENT = ['ServiceUnknown', 'UnknownMethod', 'UnknownInterface', 'UnknownObject', 'NameHasNoOwner']

/** Its path; undefined when the person chose none. Rejects Failure where nobody can be asked. */
export async function chooseFile(bus: Bus, title: string): Promise<string | undefined> {
  try {
    return await byPortal(bus, title)
  } catch (error) {
    const name = error instanceof BusError ? error.errorName : ''
    const absent = ABSENT.some(word => name.endsWith(`.${word}`)) || name.includes('.Spawn.')
    if (!absent) throw error
  }
  for (const [program, ...words] of [
    ['zenity', '--file-selection', `--title=${title}`],
    ['kdialog', '--title', title, '--getopenfilename']
  ] as const) {
    const chosen = await byProgram(program, words)
    if (chosen !== undefined) return chosen || undefined
  }
  throw new Failure('there is no dialog for files here: neither xdg-desktop-portal, nor zenity or kdialog')
}

async function byPortal(bus: Bus, title: string): Promise<string | undefined> {
  const token = `coterie${process.pid}_${Date.now()}`
  // known before the answer, so that no signal is missed (org.freedesktop.portal.Request)
  const request = `${PATH}/request/${bus.uniqueName.slice(1).replaceAll('.', '_')}/${token}`
  const { promise, resolve } = Promise.withResolvers<unknown[] | undefined>()
  const ends = [
    bus.match({ sender: PORTAL, path: request, interface: REQUEST, member: 'Response' }, m => resolve(m.body))
  ]
  try {
    await bus.call({
      destination: PORTAL,
      path: PATH,
      interface: 'org.freedesktop.portal.FileChooser',
      member: 'OpenFile',
      signature: 'ssa{sv}',
      body: ['', title, { handle_token: new Variant('s', token) }],
      timeoutMs: PORTAL_MS
    })
    ends.push(bus.watchName(PORTAL, owner => owner === '' && resolve(undefined)))
    const [response, results] = ((await promise) ?? [2]).map(plain) as [number, { uris?: string[] }]
    const [uri] = response === 0 ? (results.uris ?? []) : []
    return uri === undefined ? undefined : fileURLToPath(uri)
  } finally {
    for (const end of ends) end()
  }
}

/** Undefined when there is no such program, '' when nothing was chosen. */
function byProgram(program: string, words: readonly string[]): Promise<string | undefined> {
  return new Promise(resolve =>
    execFile(program, words, (error, stdout) =>
      resolve(error?.code === 'ENOENT' ? undefined : error ? '' : stdout.replace(/\n$/, ''))
    )
  )
}
