/** The part of better-sqlite3 that is used; its own types are not reachable by package exports. */
declare module 'better-sqlite3-multiple-ciphers' {
  namespace Sql {
    interface Statement<Values extends unknown[] = unknown[]> {
      run(...values: Values): unknown
      all(...values: Values): unknown[]
    }
    interface Database {
      prepare(text: string): Statement
      exec(text: string): this
      pragma(text: string, options?: { simple?: boolean }): unknown
      /** Nested, a savepoint. Rolled back when the function throws. */
      transaction<R>(body: () => R): { (): R; immediate(): R }
      close(): this
    }
  }
  const Sql: { new (path: string, options?: { timeout?: number; fileMustExist?: boolean }): Sql.Database }
  export default Sql
}
