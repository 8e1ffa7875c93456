/** Waits for an event, and fails loudly when it does not come. */
export async function within<T>(
  milliseconds: number,
  what: string,
  event: Promise<T>,
  story: () => string = () => ''
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not within ${milliseconds / 1000} s: ${what}\n${story()}`)),
      milliseconds
    )
  })
  try {
    return await Promise.race([event, late])
  } finally {
    clearTimeout(timer)
  }
}
