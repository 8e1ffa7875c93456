import type { Circles } from './circle/circles.ts'

/** One line for `systemctl status` and panels. `away`: why what is stored cannot be read now, or ''. */
export function summaryOf(away: string, { all, sealed }: Pick<Circles, 'all' | 'sealed'>): string {
  if (away !== '') return `locked: ${away}`
  if (all.length + sealed.length === 0) return 'in no circle yet; `coterie init` or `coterie join` comes next'
  return [...all.map(({ summary }) => summary), ...sealed.map(({ name }) => `${name}: locked`)].join('; ')
}
