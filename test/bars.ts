/** What docs/desktop.md has for bars, as printed. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export function bars(): { script: string; waybar: string; polybar: string } {
  const page = readFileSync(join(import.meta.dirname, '../docs/desktop.md'), 'utf8')
  const [, section = ''] = /^## In waybar[^\n]*\n([\s\S]*?)^## /m.exec(page) ?? []
  const block = (language: string) => {
    const [, text] = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(section) ?? []
    if (text === undefined) throw new Error(`no block of ${language} in docs/desktop.md`)
    return text
  }
  return { script: block('sh'), waybar: block('json'), polybar: block('ini') }
}
