import { Exact } from "@tandem/store"
import { embeddedStoreContract, knowledgeStoreContract } from "@tandem/store/testing"

knowledgeStoreContract("exact", Exact.layer)
embeddedStoreContract("exact", Exact.layer)
