// Loaded with --import: a file says when the device's thread has loaded ONNX Runtime's library, which it is about to start.
import { writeFileSync } from "node:fs"
import { isMainThread } from "node:worker_threads"

const load = process.dlopen.bind(process)
if (!isMainThread) {
  process.dlopen = (...library) => {
    load(...library)
    writeFileSync(process.env["LOADED"] ?? "", "")
  }
}
