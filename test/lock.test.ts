import assert from "node:assert/strict"
import { test } from "node:test"
import { missingEntries, readLock } from "../scripts/complete-lock.ts"

const lock = readLock()

test("the lock holds every platform's optional packages (else run: node scripts/complete-lock.ts)", () => {
  assert.deepEqual(
    missingEntries(lock).map(([path]) => path),
    [],
  )
})

test("one process holds one copy of ONNX Runtime's native library and of Effect", () => {
  for (const name of ["onnxruntime-node", "effect"]) {
    const copies = Object.keys(lock.packages).filter((path) => path.endsWith(`node_modules/${name}`))
    assert.deepEqual(copies, [`node_modules/${name}`])
  }
})

test("a missing platform package is completed from its name", () => {
  const packages = {
    "node_modules/tool": {
      dev: true,
      optionalDependencies: { "@tool/linux-arm64-musl": "1.2.3", "@tool/win-64": "1.2.3" },
    },
    "node_modules/@tool/other": { version: "1.0.0" },
  }
  assert.deepEqual(missingEntries({ packages }), [
    [
      "node_modules/@tool/linux-arm64-musl",
      { version: "1.2.3", cpu: ["arm64"], libc: ["musl"], dev: true, optional: true, os: ["linux"] },
    ],
    ["node_modules/@tool/win-64", { version: "1.2.3", cpu: ["x64"], dev: true, optional: true, os: ["win32"] }],
  ])
})
