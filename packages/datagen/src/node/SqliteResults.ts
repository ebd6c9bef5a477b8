import { mkdir } from "node:fs/promises"
import { dirname } from "node:path"
import { Effect, type Scope } from "effect"
import { ResultStoreFailed } from "../Errors.ts"
import type { ResultsShape, StoredReply } from "../model/Results.ts"

const version = 1

const tables = `
  CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, role TEXT NOT NULL, text TEXT NOT NULL, thoughts TEXT, finish TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS charges (role TEXT NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL);
`

/**
 * Results in an SQLite database (libSQL), one transaction a reply: what has been put survives the end of the process at any
 * moment. A file that is no such database ends in `ResultStoreFailed`.
 */
export const openSqliteResults = Effect.fnUntraced(function* (
  file: string,
): Effect.fn.Return<ResultsShape, ResultStoreFailed, Scope.Scope> {
  const failed = (cause: unknown) => failure(file, cause)
  const database = yield* Effect.acquireRelease(
    Effect.tryPromise({ try: () => openDatabase(file), catch: failed }),
    (one) => Effect.sync(() => one.close()),
  )
  const attempt = <A>(run: () => A): Effect.Effect<A, ResultStoreFailed> => Effect.try({ try: run, catch: failed })
  const statements = yield* attempt(() => ({
    get: database.prepare("SELECT text, thoughts, finish, input_tokens, output_tokens FROM replies WHERE key = ?"),
    put: database.prepare("INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?, ?, ?, ?)"),
    charge: database.prepare("INSERT INTO charges VALUES (?, ?, ?)"),
    paid: database.prepare(`
      SELECT role, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens FROM (
        SELECT role, input_tokens, output_tokens FROM replies UNION ALL SELECT role, input_tokens, output_tokens FROM charges
      ) GROUP BY role
    `),
  }))
  return {
    get: (key) =>
      attempt(() => {
        const row = statements.get.get(key)
        return row === undefined || row === null ? undefined : replyOf(fieldsOf(row))
      }),
    put: (key, role, { text, thoughts, finish, usage }) =>
      attempt(() => {
        statements.put.run(key, role, text, thoughts ?? null, finish, usage.inputTokens, usage.outputTokens)
      }),
    charge: (role, { inputTokens, outputTokens }) =>
      attempt(() => {
        statements.charge.run(role, inputTokens, outputTokens)
      }),
    paid: attempt(() => {
      const rows = new Map(statements.paid.all().map((row) => [fieldsOf(row)["role"], usageOf(fieldsOf(row))]))
      const none = { inputTokens: 0, outputTokens: 0 }
      return { small: rows.get("small") ?? none, large: rows.get("large") ?? none }
    }),
  }
})

const openDatabase = async (file: string) => {
  await mkdir(dirname(file), { recursive: true })
  const { default: Database } = await import("libsql")
  const database = new Database(file)
  try {
    database.exec("PRAGMA journal_mode = WAL")
    database.exec("PRAGMA synchronous = NORMAL")
    const found = Number(fieldsOf(database.prepare("PRAGMA user_version").get())["user_version"])
    if (found !== 0 && found !== version) throw new Error(`its format is ${found}, not ${version}`)
    database.exec(tables)
    database.exec(`PRAGMA user_version = ${version}`)
    return database
  } catch (cause) {
    database.close()
    throw cause
  }
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (row: unknown): Fields => ({ ...Object(row) })

const usageOf = (row: Fields) => ({
  inputTokens: Number(row["input_tokens"]),
  outputTokens: Number(row["output_tokens"]),
})

const replyOf = (row: Fields): StoredReply => {
  const { text, thoughts, finish } = row
  const known = (["end", "stop", "length", "refused"] as const).find((one) => one === finish)
  if (typeof text !== "string" || known === undefined) throw new Error("a reply has another form than was written")
  return { text, ...(typeof thoughts === "string" ? { thoughts } : {}), finish: known, usage: usageOf(row) }
}

const failure = (file: string, cause: unknown): ResultStoreFailed => {
  const missing = cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND"
  return new ResultStoreFailed({
    message: "the database of results cannot be used",
    file,
    found: cause instanceof Error ? cause.message : String(cause),
    ...(missing ? { hint: "install the npm package libsql" } : {}),
  })
}
