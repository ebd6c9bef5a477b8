// A plugin of TypeDoc: modules are called as they are imported, and a package says what it is.
import { existsSync, readFileSync } from "node:fs"
import { Comment, Converter } from "typedoc"

const root = new URL("../../", import.meta.url)

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) {
      const [folder = "", subpath = ""] = module.name.split(/\/src(?:\/|$)/)
      const file = new URL(`${folder}/package.json`, root)
      if (!existsSync(file)) throw new Error(`${module.name} lies in no package`)
      const { name, description } = JSON.parse(readFileSync(file, "utf8"))
      module.name = subpath === "" ? name : `${name}/${subpath}`
      if (subpath === "") module.comment ??= new Comment([{ kind: "text", text: `${description}.` }])
    }
  })
}
