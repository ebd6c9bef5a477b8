import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { openWhole } from "@tandem/files/node/WholeFile"
import { writeWhole } from "@tandem/files/node/WriteWhole"

const root = mkdtempSync(join(tmpdir(), "tandem-files-"))
after(() => rmSync(root, { recursive: true, force: true }))

const pieces = ["äö", new Uint8Array([10, 0xe2, 0x82, 0xac]), ""]
const stream = async function* () {
  yield* pieces
}
for (const [kind, content, expected] of [
  ["a text", "äö\n", "äö\n"],
  ["bytes", new Uint8Array([97, 98]), "ab"],
  ["pieces", pieces, "äö\n€"],
  ["a stream of pieces", stream(), "äö\n€"],
  ["nothing", "", ""],
] as const)
  test(`${kind} is written to a new folder and over what was there`, async () => {
    const folder = join(root, "kinds", kind)
    const file = join(folder, "below/file")
    await writeWhole(file, "something longer that was there")
    await writeWhole(file, content)
    assert.equal(readFileSync(file, "utf8"), expected)
    assert.deepEqual(readdirSync(join(folder, "below")), ["file"])
  })

test("a file that is written piece by piece is there when it is whole, or not at all", async () => {
  const folder = join(root, "piece by piece")
  const whole = await openWhole(join(folder, "file"))
  await whole.write("ä")
  await whole.write("b".repeat(100_000))
  assert.ok(!readdirSync(folder).includes("file"))
  await whole.commit()
  await whole.abandon()
  assert.equal(readFileSync(join(folder, "file"), "utf8"), `ä${"b".repeat(100_000)}`)
  const left = await openWhole(join(folder, "file"))
  await left.write("another")
  await left.abandon()
  assert.deepEqual(readdirSync(folder), ["file"])
})

test("content that cannot be made leaves the old file and nothing aside", async () => {
  const folder = join(root, "failing")
  const file = join(folder, "file")
  await writeWhole(file, "old")
  const failing = function* () {
    yield "new"
    throw new Error("no more")
  }
  await assert.rejects(writeWhole(file, failing()), /no more/)
  assert.equal(readFileSync(file, "utf8"), "old")
  assert.deepEqual(readdirSync(folder), ["file"])
})

test("the system's error comes through where a folder cannot be made or a folder has the name", async () => {
  const blocked = join(root, "blocked")
  writeFileSync(blocked, "")
  await assert.rejects(writeWhole(join(blocked, "file"), ""), { code: /^(ENOTDIR|EEXIST)$/ })
  mkdirSync(join(root, "named/file"), { recursive: true })
  await assert.rejects(writeWhole(join(root, "named/file"), ""), { syscall: "rename" })
  assert.deepEqual(readdirSync(join(root, "named")), ["file"])
})

test("what dead writers of the same file left goes; what living ones and those of other files have stays", async () => {
  const folder = join(root, "left")
  mkdirSync(folder)
  const dead = "999999999-0123456789ab.part"
  const kept = [`file.${process.ppid}-0123456789ab.part`, `other.${dead}`, `file.txt.${dead}`, "file.part"]
  for (const name of [...kept, `file.${dead}`]) writeFileSync(join(folder, name), "")
  await writeWhole(join(folder, "file"), "")
  assert.deepEqual(readdirSync(folder).sort(), ["file", ...kept].sort())
})

test("writers of one file at the same time: one of them wins, whole", async () => {
  const file = join(root, "race/file")
  const contents = Array.from({ length: 8 }, (_, index) => `${index}`.repeat(100_000))
  await Promise.all(contents.map((content) => writeWhole(file, content)))
  assert.ok(contents.includes(readFileSync(file, "utf8")))
  assert.deepEqual(readdirSync(join(root, "race")), ["file"])
})

test("a process that is killed while it writes leaves the old file; the next writer cleans up", async () => {
  const folder = join(root, "killed")
  const file = join(folder, "file")
  await writeWhole(file, "old")
  const program = `
    import { openWhole } from "@tandem/files/node/WholeFile"
import { writeWhole } from "@tandem/files/node/WriteWhole"
    const endless = async function* () {
      for (;;) {
        yield "new "
        console.log("writing")
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    }
    await writeWhole(process.argv[1], endless())`
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program, file], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", "inherit"],
  })
  child.stdout.once("data", () => child.kill("SIGKILL"))
  await new Promise((resolve) => child.once("close", resolve))
  assert.equal(readdirSync(folder).length, 2)
  assert.equal(readFileSync(file, "utf8"), "old")
  await writeWhole(file, "newer")
  assert.deepEqual(readdirSync(folder), ["file"])
})
