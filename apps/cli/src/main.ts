#!/usr/bin/env node
import * as nodeModule from "node:module"
import { keepMemory } from "@tandem/runtime/node/Memory"

keepMemory()
// What is imported from here on starts from Node's cache of compiled code. Other runtimes have caches of their own.
nodeModule.enableCompileCache?.()
const { start } = await import("./Start.ts")
await start()
