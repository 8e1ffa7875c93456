/** Reasons of the API in the words people read, in terminals and on the desktop alike. */

const REASONS: { readonly [reason: string]: string } = {
  'never-seen': 'not seen yet',
  stopped: 'said goodbye',
  closed: 'connection closed',
  timeout: 'no answer',
  refused: 'refused the connection',
  'no-address': 'no address known',
  'no-network': 'no network here',
  isolated: 'this device may be cut off itself',
  path: 'others reach it, this device does not',
  asleep: 'it said that it sleeps'
}
/** Why a peer is in its state. */
export const reason = (word: string): string => REASONS[word] ?? word

/** Why a message came to nothing. */
export function deadReason(reason: string, tag: string, exit: number): string {
  const sentences: { readonly [word: string]: string } = {
    'no-handler': `there is no handler for ${tag} there`,
    'not-allowed': `that device does not let this one send ${tag}`,
    unsafe: `the handler for ${tag} there must not be run; \`coterie handlers\` there says why`,
    'not-started': 'its handler could not be started',
    failed: `its handler ended with ${exit}`,
    killed: 'its handler was killed',
    timeout: 'its handler took too long',
    unknown: 'its handler was started, and nobody knows how it ended',
    expired: 'its time was over',
    cancelled: 'it was taken back',
    removed: 'one of the two devices is no member any more',
    'gave-up': 'its handler asked for another time too often',
    output: 'its handler wrote more than 64 KiB to stdout; `coterie copy` carries files'
  }
  return sentences[reason] ?? reason
}
