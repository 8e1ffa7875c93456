/** An interface that goes down and up, faster than anybody could pull a plug. */
import { generator } from '../random.ts'
import { PATIENCE_MS } from './deadline.ts'
import type { Host } from './host.ts'

/** Down for 20 to 100 ms, up for 50 to 400 ms: sometimes long enough for an address, sometimes not. */
export async function flap(host: Host, times: number): Promise<void> {
  const random = generator(times)
  const pause = (least: number, most: number) => (least + random() * (most - least)).toFixed(3)
  const once = () =>
    `ip link set eth0 down; sleep ${pause(0.02, 0.1)}; ip link set eth0 up; sleep ${pause(0.05, 0.4)}`
  const script = Array.from({ length: times }, once).join('\n')
  const { code, stderr } = await host.space.try(['sh', '-ec', script], {
    timeoutMs: PATIENCE_MS + times * 2_000
  })
  if (code !== 0) throw new Error(`flapping on ${host.name}: ${stderr}`)
}
