// Loaded before each of our sides: what `tandem` does before it loads itself (apps/cli/src/main.ts).
import { enableCompileCache } from "node:module"
import { keepMemory } from "@tandem/runtime/node/Memory"

keepMemory()
enableCompileCache()
