// `tandem dpr train` as it is, started from the cache of compiled code as the command is.
import { enableCompileCache } from "node:module"

enableCompileCache()
await import("../support/DprSide.ts")
