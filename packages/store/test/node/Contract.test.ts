import * as Usearch from "@tandem/store/node/Usearch"
import { knowledgeStoreContract } from "@tandem/store/testing"

knowledgeStoreContract("usearch", (identity) => Usearch.layer(identity))
knowledgeStoreContract("usearch, two threads", (identity) => Usearch.layer(identity, { threads: 2 }))
