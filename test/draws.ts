/**
 * fast-check with the same draws each time: what a change did not touch cannot refuse it by chance. What other draws
 * would find is looked for on purpose: SEED=… in the environment, and `npm run fuzz`.
 */
import fc from 'fast-check'

fc.configureGlobal({ seed: Number(process.env['SEED'] ?? 1) })

export { fc }
