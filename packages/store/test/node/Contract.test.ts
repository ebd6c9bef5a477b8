import * as Usearch from "@tandem/store/node/Usearch"
import { embeddedStoreContract, knowledgeStoreContract } from "@tandem/store/testing"

for (const [name, options] of [
  ["usearch", {}],
  ["usearch, a narrow search", { expansionSearch: 32 }],
] as const) {
  knowledgeStoreContract(name, (identity) => Usearch.layer(identity, options))
  embeddedStoreContract(name, (identity) => Usearch.layer(identity, options))
}
