// Options that exported servers read from their environment.
import assert from "node:assert/strict"
import { test } from "node:test"
import { optionsFrom } from "../src/web/EnvironmentOptions.ts"

const from = (variables: Readonly<Record<string, unknown>>) => {
  const { observe, ...options } = optionsFrom((name) => variables[name])
  return options
}

test("what is not set is as usual, and what is set is taken", () => {
  assert.deepEqual(from({}), {})
  assert.deepEqual(from({ TANDEM_NAME: "", TANDEM_ORIGINS: "" }), {})
  assert.deepEqual(
    from({ TANDEM_API_KEY: "0123-4567", TANDEM_NAME: "mill", TANDEM_ORIGINS: "https://a.example, https://b.example" }),
    { apiKey: "0123-4567", name: "mill", origins: ["https://a.example", "https://b.example"] },
  )
})

test("a key that protects nothing is an error that does not tell it", () => {
  for (const key of ["", "short", "with a blank in it", "in two\nlines", 12345678]) {
    assert.throws(
      () => from({ TANDEM_API_KEY: key }),
      (error) => {
        assert.ok(error instanceof Error && "_tag" in error)
        assert.equal(error._tag, "InvalidKey")
        assert.match(error.message, /TANDEM_API_KEY holds no key/)
        assert.ok(key === "" || !JSON.stringify(error).includes(String(key)))
        return true
      },
    )
  }
})
