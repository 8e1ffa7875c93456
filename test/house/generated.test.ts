import t from 'tap'
import { generated, outdated } from '../../scripts/generate.ts'

t.test('what is made from src/api is up to date', async t => {
  t.ok(generated.length >= 5, 'something is generated')
  t.same(outdated(), [], 'else: npm run generate')
})
