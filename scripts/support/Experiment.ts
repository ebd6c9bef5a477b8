// What proofs and benchmarks share: a module that measures, and a small JSON file that keeps what it found.
import { existsSync, readFileSync } from "node:fs"
import { availableParallelism, cpus } from "node:os"
import { basename, join } from "node:path"
import { pathToFileURL } from "node:url"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import { listFiles, root } from "./Workspace.ts"

export interface ExperimentContext {
  /** What follows the name on the command line. */
  readonly args: ReadonlyArray<string>
  /** The project's root, to build paths with; it must not appear in the result. */
  readonly root: string
  /** The folder with data sets ($TANDEM_DATA); throws with what to set where that is missing. */
  readonly data: () => string
  /** Prints progress to standard error. */
  readonly log: (line: string) => void
  /** Writes what is known so far as the record, for an experiment of many pieces that can be killed after each. */
  readonly keep: (result: ExperimentResult) => Promise<void>
}

export interface ExperimentResult {
  /** Every setting that the figures depend on. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly figures: Readonly<Record<string, unknown>>
  /** What has to hold, by a sentence that says it; one that is false makes the command fail. */
  readonly holds?: Readonly<Record<string, boolean>>
  /** Versions of anything beside the packages in package-lock.json, such as a peer that was measured. */
  readonly versions?: Readonly<Record<string, string>>
}

/** What `proof/NAME.ts` and `bench/NAME.ts` export as `run`. */
export type Experiment = (context: ExperimentContext) => Promise<ExperimentResult>

interface ExperimentCommand {
  /** Where the modules lie, relative to the root. */
  readonly folder: string
  /** Where the results go, relative to the root. */
  readonly output: string
  readonly command: string
  /** Name and arguments. */
  readonly argv: ReadonlyArray<string>
  /** Whether the result is also printed; it is where absent. */
  readonly print?: boolean
}

/** Names of the experiments in a folder. */
export function listExperiments(folder: string): ReadonlyArray<string> {
  return listFiles([`${folder}/*.ts`])
    .map((file) => basename(file, ".ts"))
    .filter((name) => name !== "main")
}

/** Runs one experiment and writes its result; exit code 1 where something that has to hold does not. */
export async function runExperiment({ folder, output, command, argv, print = true }: ExperimentCommand): Promise<void> {
  const [name, ...args] = argv
  const names = listExperiments(folder)
  if (name === undefined || !names.includes(name)) {
    console.error(
      `error[UnknownExperiment] expected one of: ${names.join(", ") || "(none)"}; found ${name ?? "nothing"}`,
    )
    process.exitCode = 2
    return
  }
  const module: { run?: Experiment } = await import(pathToFileURL(join(root, folder, `${name}.ts`)).href)
  if (module.run === undefined) throw new Error(`${folder}/${name}.ts does not export run`)
  const start = performance.now()
  const keep = async (result: ExperimentResult): Promise<string> => {
    const record = {
      format: 1,
      name,
      command: [command, name, ...args.map(withoutFolders)].join(" "),
      date: new Date().toISOString().slice(0, 10),
      seconds: Math.round((performance.now() - start) / 100) / 10,
      machine: { cpu: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism(), platform: process.platform },
      versions: { ...installedVersions(), ...result.versions },
      settings: result.settings,
      figures: result.figures,
      ...(result.holds === undefined ? {} : { holds: result.holds }),
    }
    const text = `${JSON.stringify(record, null, 2)}\n`
    if (text.includes(root)) throw new Error(`the result of ${name} names this machine's folder ${root}`)
    await writeWhole(join(root, output, `${name}.json`), text)
    return text
  }
  const log = (line: string): void => console.error(line)
  const result = await module.run({ args, root, data, log, keep: async (partial) => void (await keep(partial)) })
  const text = await keep(result)
  if (print) console.log(text.trimEnd())
  for (const [sentence, held] of Object.entries(result.holds ?? {}))
    if (!held) {
      console.error(`does not hold: ${sentence}`)
      process.exitCode = 1
    }
}

function data(): string {
  const folder = process.env["TANDEM_DATA"]
  if (folder === undefined || !existsSync(folder))
    throw new Error("set TANDEM_DATA to the folder with the data sets (squad/, trec_eval/)")
  return folder
}

/** Versions that the lock file pins and that figures may depend on. */
function installedVersions(): Readonly<Record<string, string>> {
  const lock: { packages: Record<string, { version?: string }> } = JSON.parse(
    readFileSync(join(root, "package-lock.json"), "utf8"),
  )
  const names = ["onnxruntime-node", "effect", "usearch", "@huggingface/transformers", "@huggingface/tokenizers"]
  const versions = names.flatMap((name) => {
    const version = lock.packages[`node_modules/${name}`]?.version
    return version === undefined ? [] : [[name, version]]
  })
  return { node: process.versions.node, ...Object.fromEntries(versions) }
}

/** An argument as it may be published: of an absolute path only its last part. */
const withoutFolders = (argument: string) => argument.replace(/(^|=)\/(?:[^/\s]+\/)*([^/\s]+)$/, "$1$2")
