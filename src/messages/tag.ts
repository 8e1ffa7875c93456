/**
 * Tags: what a message is about, and by which name its handler is found. One to eight parts of 1 to 63 characters,
 * parted by `/`; a part has lower-case letters, digits, `-` and `_`, and begins with a letter or digit. So a tag is
 * always a path below the folder it is looked for in, and nothing else.
 */
const PART = /^[a-z0-9][a-z0-9_-]{0,62}$/
const PARTS = 8
const LENGTH = 255

/** '' when the text is a tag; else a sentence on what is wrong with it. */
export function tagProblem(text: string): string {
  if (text === '') return 'a tag must not be empty; such as backup/start'
  if (text.length > LENGTH) return `a tag has at most ${LENGTH} characters`
  const parts = text.split('/')
  if (parts.length > PARTS) return `a tag has at most ${PARTS} parts`
  const wrong = parts.find(part => !PART.test(part))
  if (wrong === undefined) return ''
  if (wrong === '') return 'a tag neither begins nor ends with /, and has no two of them in a row'
  if (wrong.length > 63) return 'a part of a tag has at most 63 characters'
  return `${JSON.stringify(wrong)} cannot be part of a tag: lower-case letters, digits, - and _, beginning with a letter or digit`
}

export const isTag = (text: string): boolean => tagProblem(text) === ''

/** '' when the text is a tag, `*`, or a tag and `/*`, which stands for all below it; else a sentence. */
export const patternProblem = (text: string): string =>
  text === '*' ? '' : tagProblem(text.endsWith('/*') ? text.slice(0, -2) : text)

/** Whether a pattern is for a tag. */
export const covers = (pattern: string, tag: string): boolean =>
  pattern === '*' || (pattern.endsWith('/*') ? tag.startsWith(pattern.slice(0, -1)) : pattern === tag)
