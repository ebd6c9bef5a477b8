// The processes that a measurement of servers needs: clients, and a server in Python.
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { Schema } from "effect"
import type { Load } from "./LoadClient.ts"

const Figures = Schema.Struct({ requests: Schema.Number, seconds: Schema.Number, refused: Schema.Number })

/** Clients in a process of their own. */
export interface LoadClients {
  /** Requests a second; where one was refused, an error. */
  readonly rate: (load: Load) => Promise<number>
  readonly end: () => void
}

const linesOf = (child: ChildProcess): AsyncIterator<string> => {
  if (child.stdout === null) throw new Error("the process has no output")
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]()
}

const nextLine = async (lines: AsyncIterator<string>, program: string): Promise<string> => {
  const { done, value } = await lines.next()
  if (done === true) throw new Error(`${program} ended`)
  return value
}

/** Starts clients that wait for loads. */
export const loadClients = (): LoadClients => {
  const program = fileURLToPath(new URL("LoadClient.ts", import.meta.url))
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] })
  const lines = linesOf(child)
  return {
    rate: async (load) => {
      child.stdin.write(`${JSON.stringify(load)}\n`)
      const line = await nextLine(lines, "the clients' process")
      const { requests, seconds, refused } = Schema.decodeUnknownSync(Schema.fromJsonString(Figures))(line)
      if (refused > 0) throw new Error(`${refused} of ${requests} requests were refused`)
      return requests / seconds
    },
    end: () => child.kill(),
  }
}

const Listening = Schema.Struct({ port: Schema.Number, versions: Schema.Record(Schema.String, Schema.String) })

/** Starts `bench/peers/embedding-server.py` and waits until it listens. */
export const pythonServer = async (python: string, program: string, settings: object) => {
  const child = spawn(python, [program, JSON.stringify(settings)], { stdio: ["ignore", "pipe", "inherit"] })
  const line = await nextLine(linesOf(child), "the server in Python")
  return {
    ...Schema.decodeUnknownSync(Schema.fromJsonString(Listening))(line),
    pid: child.pid,
    end: () => child.kill(),
  }
}
