import * as Usearch from "@tandem/store/node/Usearch"
import { knowledgeStoreContract } from "@tandem/store/testing"

knowledgeStoreContract("usearch", (identity) => Usearch.layer(identity))
knowledgeStoreContract("usearch, a narrow search", (identity) => Usearch.layer(identity, { expansionSearch: 32 }))
