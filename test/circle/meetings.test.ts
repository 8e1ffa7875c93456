/** Lives over sessions, with devices that do not keep the rules. `npm run fuzz` has a hundred thousand. */
import t from 'tap'
import { Meeting } from './meeting.ts'

const MEETINGS = 150

t.test('in the end those that trust each other agree', async t => {
  let operations = 0
  let hostile = 0
  for (let seed = 1; seed <= MEETINGS; seed++) {
    try {
      const meeting = new Meeting(seed)
      operations += meeting.operations
      hostile += meeting.hostile.size
    } catch (error) {
      t.fail(`seed ${seed}: ${(error as Error).stack}`)
      return
    }
  }
  t.ok(operations > MEETINGS * 5, `${operations} operations`)
  t.ok(hostile > MEETINGS / 4, `${hostile} hostile devices`)
})
