/** The network around this computer, for explanations. */
import { readNeighbours } from '../../host/neighbours.ts'
import type { Nearby } from '../surroundings.ts'
import type { Attachment } from './attachment.ts'
import { keptApart } from './separation.ts'

export function nearby(attachment: Pick<Attachment, 'ask' | 'conditions'>): Nearby {
  return {
    interfaces: () => {
      const { planned, snapshot } = attachment.conditions
      return (snapshot?.interfaces ?? []).flatMap(({ name, addresses }) => {
        const policy = planned.find(one => one.interface === name)?.policy
        return policy === undefined ? [] : [{ name, policy, addresses }]
      })
    },
    ask: () => attachment.ask(),
    keptApart: spot => keptApart(spot, readNeighbours)
  }
}
