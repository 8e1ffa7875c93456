export function bytes(): { [name: string]: Uint8Array } {
  return {}
}
