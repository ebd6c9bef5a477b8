import assert from "node:assert/strict"
import { existsSync, readdirSync } from "node:fs"
import { type Ended, jsonLines } from "./Tandem.ts"

/** What a report of an error has to say besides its tag. */
export interface Expected {
  readonly tag: string
  readonly code: number
  readonly file?: string
  readonly line?: number
  readonly field?: string
  readonly tensor?: string
  readonly found?: string
  readonly node?: RegExp
  readonly message?: RegExp
  readonly hint?: RegExp
}

/** The error that a command ended in: one line of JSON, the last one, with nothing but text and two numbers, a line and an operator set, in it. */
export const errorOf = (ended: Ended) => {
  const { error } = jsonLines(ended).at(-1)
  assert.ok(error, `no error among ${ended.stdout}`)
  assert.equal(error.stack, undefined)
  for (const [name, value] of Object.entries(error))
    assert.equal(typeof value, /^(line|opset)$/.test(name) ? "number" : "string")
  assert.ok(error.message.length > 10)
  return error
}

export const assertError = (ended: Ended, expected: Expected): void => {
  const error = errorOf(ended)
  const said = JSON.stringify(error)
  const { code, node, message, hint, ...exact } = expected
  assert.equal(ended.code, code, said)
  for (const [name, value] of Object.entries(exact)) assert.equal(error[name], value, `${name} of ${said}`)
  for (const [name, pattern] of Object.entries({ node, message, hint })) {
    if (pattern !== undefined) assert.match(error[name] ?? "", pattern, said)
  }
}

/** Files of a run folder that ended badly before its first step: none. */
export const assertNothingWritten = (run: string): void => {
  if (existsSync(run)) assert.deepEqual(readdirSync(run), [])
}
