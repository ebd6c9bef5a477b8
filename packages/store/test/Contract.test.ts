import { Exact } from "@tandem/store"
import { knowledgeStoreContract } from "@tandem/store/testing"

knowledgeStoreContract("exact", Exact.layer)
