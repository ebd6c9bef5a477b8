import { settingWithDefault, whole, wholeDoc } from "@tandem/runs/Setting"
import { Schema } from "effect"
import { parseRefresh, refreshGrammar } from "./Refresh.ts"

/** Settings on an index whose passages' encoder trains, for the schemas of commands that train one. */
export const refreshFields = {
  refresh: settingWithDefault(
    Schema.String.check(Schema.makeFilter((text) => parseRefresh(text) !== undefined)),
    "never",
    {
      kind: "text",
      value: "POLICY",
      about: `when the index is made anew while the passage encoder trains: ${refreshGrammar}`,
      expected: refreshGrammar,
    },
  ),
  refreshDelay: settingWithDefault(
    whole,
    0,
    wholeDoc("steps after which a new index takes effect; above 0 it is made beside training"),
  ),
}
