/**
 * How long anything is waited for that is not measured: so that a test that hangs ends, and says what it waited for.
 * A computer that does ten things at once, or stands still for seconds, is no failure.
 */
export const PATIENCE_MS = 60_000

/** What a test file may take; a little less than test/run.ts gives it, so that tap tells which test it was. */
export const FILE_MS = 580_000

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
